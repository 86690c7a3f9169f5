"""OCSP requests and responses (RFC 6960): pure, and as slow as their arithmetic.

A response counts where it is about the very certificate, is of now, and is signed by the certificate's issuer or by a responder
that the issuer has certified for this (§4.2.2.2). The issuer is the one whose hashes are in the request: installed, part of a chain,
or sent along by the responder. There is no nonce: responders answer with what they have signed before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from csms.authority.issuers import HASHES, STRONG, UNREADABLE, hashes_of, is_issued_by
from csms.handlers.contracts import OcspData
from csms.handlers.iso15118 import CertificateState, NoAnswer, OcspAnswer

_SKEW = timedelta(minutes=5)
_FRESH = timedelta(days=1)
"""How old an answer may be that does not say when the next one comes."""
_MOST_CERTIFICATES = 4
_STATES: dict[ocsp.OCSPCertStatus, CertificateState] = {
    ocsp.OCSPCertStatus.GOOD: "Good",
    ocsp.OCSPCertStatus.REVOKED: "Revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "Unknown",
}


def request_for(data: OcspData) -> bytes:
    """Return the OCSPRequest about a certificate, in DER.

    :raises NoAnswer: the data are of no certificate.
    """
    try:
        name, key, serial = _certificate_id(data)
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, HASHES[data.hash_algorithm])
        return builder.build().public_bytes(Encoding.DER)
    except (ValueError, KeyError, OverflowError):
        raise NoAnswer("InvalidValue", "the OCSP request data are of no certificate") from None


def _certificate_id(data: OcspData) -> tuple[bytes, bytes, int]:
    return bytes.fromhex(data.issuer_name_hash), bytes.fromhex(data.issuer_key_hash), int(data.serial_number, 16)


def read_response(der: bytes, data: OcspData, issuers: Iterable[Certificate], now: datetime) -> OcspAnswer:
    """Read an OCSPResponse, held against what was asked; ``issuers`` are certificates that may have issued the one.

    :raises NoAnswer: it is none that counts.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise _bad(f"the responder says {response.response_status.name}")
        single = _about(response, data)
        _check_times(single, now)
        return OcspAnswer(
            _STATES[single.certificate_status],
            der,
            single.next_update_utc,
            _is_verified(response, data, issuers, now),
        )
    except UNREADABLE:
        raise _bad("it is no OCSP response that can be read") from None


def _bad(reason: str) -> NoAnswer:
    return NoAnswer("InvalidAnswer", reason)


def _about(response: ocsp.OCSPResponse, data: OcspData) -> ocsp.OCSPSingleResponse:
    wanted = (*_certificate_id(data), HASHES[data.hash_algorithm].name)
    for single in response.responses:
        found = (single.issuer_name_hash, single.issuer_key_hash, single.serial_number, single.hash_algorithm.name)
        if found == wanted:
            return single
    raise _bad("the OCSP response is about another certificate")


def _check_times(single: ocsp.OCSPSingleResponse, now: datetime) -> None:
    """Check that an answer is of now (§4.2.2.1)."""
    if single.this_update_utc > now + _SKEW:
        raise _bad("the OCSP response is of the future")
    ends = single.next_update_utc if single.next_update_utc is not None else single.this_update_utc + _FRESH
    if ends <= now:
        raise _bad("the OCSP response has expired")


def _is_verified(response: ocsp.OCSPResponse, data: OcspData, issuers: Iterable[Certificate], now: datetime) -> bool:
    """Tell whether the issuer is known; one that is has signed the response, or its responder."""
    sent = response.certificates[:_MOST_CERTIFICATES]
    issuer = issuer_of(data, [*issuers, *sent])
    if issuer is None:
        return False
    if not any(_has_signed(signer, response) for signer in _signers(issuer, sent, now)):
        raise _bad("the OCSP response is not signed by the issuer, or a responder of the issuer's")
    return True


def issuer_of(data: OcspData, candidates: Iterable[Certificate]) -> Certificate | None:
    """Return the issuer that OCSP data are about, where it is among the candidates."""
    wanted = (data.issuer_name_hash.lower(), data.issuer_key_hash.lower())
    return next((candidate for candidate in candidates if hashes_of(candidate, data.hash_algorithm) == wanted), None)


def _signers(issuer: Certificate, sent: Sequence[Certificate], now: datetime) -> Iterator[Certificate]:
    yield issuer
    for certificate in sent:
        is_valid = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        if is_valid and _may_respond(certificate) and is_issued_by(certificate, issuer):
            yield certificate


def _may_respond(certificate: Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _has_signed(signer: Certificate, response: ocsp.OCSPResponse) -> bool:
    algorithm, key = response.signature_hash_algorithm, signer.public_key()
    if (algorithm.name if algorithm is not None else None) not in STRONG:
        return False
    signature, signed = response.signature, response.tbs_response_bytes
    try:
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        elif algorithm is None:
            return False
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def data_for(certificate: Certificate, issuer: Certificate) -> OcspData | None:
    """Return the OCSP data of a certificate that names its responder (RFC 5280 §4.2.2.1), None where it does not."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return None
    for description in access:
        place = description.access_location
        if description.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            place, x509.UniformResourceIdentifier
        ):
            name, key = hashes_of(issuer, "SHA256")
            return OcspData("SHA256", name, key, f"{certificate.serial_number:x}", place.value)
    return None
