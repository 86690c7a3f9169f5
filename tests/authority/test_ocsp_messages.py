"""OCSP responses against what was asked (RFC 6960)."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from csms.authority.ocsp_messages import data_for, read_response, request_for
from csms.handlers.contracts import OcspData
from csms.handlers.iso15118 import NoAnswer
from tests.authority.ocsp_responder import GOOD, HOUR, NOW, REVOKED, UNKNOWN, data_of, delegate, response
from tests.certificates import issue


@cache
def standard():
    root = issue("Root")
    return root, issue("Leaf", root, ca=False, responder="http://ocsp.example.org/")


def read(der, data=None, issuers=None, now=NOW):
    root, leaf = standard()
    return read_response(der, data or data_of(leaf), [root.certificate] if issuers is None else issuers, now)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_a_request_is_about_the_certificate(algorithm):
    _root, leaf = standard()
    data = data_of(leaf, algorithm=algorithm)
    request = ocsp.load_der_ocsp_request(request_for(data))
    assert (request.issuer_name_hash.hex(), request.issuer_key_hash.hex(), request.serial_number) == (
        data.issuer_name_hash, data.issuer_key_hash, leaf.certificate.serial_number,
    )  # fmt: skip


@pytest.mark.parametrize("wrong", [("SHA1", "0a", "0b", "1"), ("SHA256", "x", "y", "1"), ("SHA256", "0a", "0b", "-1")])
def test_data_of_no_certificate(wrong):
    with pytest.raises(NoAnswer) as error:
        request_for(OcspData(*wrong, "http://x"))
    assert error.value.reason_code == "InvalidValue"


@pytest.mark.parametrize(("status", "state"), [(GOOD, "Good"), (REVOKED, "Revoked"), (UNKNOWN, "Unknown")])
def test_what_the_issuer_says(status, state):
    _root, leaf = standard()
    der = response(leaf, status)
    answer = read(der)
    assert (answer.state, answer.der, answer.next_update, answer.is_verified) == (state, der, NOW + HOUR, True)


def test_a_certified_responder():
    root, leaf = standard()
    responder = delegate(root)
    assert read(response(leaf, signer=responder, sent=[responder])).is_verified


def refused(der, words, **members):
    with pytest.raises(NoAnswer, match=words) as error:
        read(der, **members)
    assert error.value.reason_code == "InvalidAnswer"


def test_responders_that_nobody_certified():
    root, leaf = standard()
    stranger = issue("Root")
    for responder in (
        delegate(stranger),
        delegate(root, ExtendedKeyUsageOID.CLIENT_AUTH),
        delegate(root, ends=NOW - HOUR, begins=NOW - 2 * HOUR),
        delegate(root, begins=NOW + HOUR),
        issue("Responder", root, ca=False),
        stranger,
    ):
        refused(response(leaf, signer=responder, sent=[responder]), "not signed by")


def test_a_signature_that_was_changed():
    _root, leaf = standard()
    der = bytearray(response(leaf))
    der[-1] ^= 1
    refused(bytes(der), "not signed by|no OCSP response")


def test_an_issuer_that_is_not_known_vouches_for_nothing():
    root, leaf = standard()
    assert not read(response(leaf), issuers=[]).is_verified
    assert not read(response(leaf), issuers=[issue("Root").certificate]).is_verified
    assert read(response(leaf, sent=[root]), issuers=[]).is_verified


def test_times():
    _root, leaf = standard()
    refused(response(leaf, ends=NOW), "has expired")
    refused(response(leaf, begins=NOW + timedelta(minutes=6)), "of the future")
    assert read(response(leaf, begins=NOW + timedelta(minutes=4))).state == "Good"
    assert read(response(leaf, ends=None)).next_update is None
    refused(response(leaf, ends=None, begins=NOW - timedelta(days=1)), "has expired")


def test_another_certificate():
    root, leaf = standard()
    refused(response(issue("Other", root, ca=False)), "another certificate")
    refused(response(leaf, algorithm=hashes.SHA384()), "another certificate")


def test_a_responder_that_says_that_it_cannot():
    der = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)
    refused(der, "TRY_LATER")


@given(st.binary(max_size=200) | st.integers(0, 250).map(lambda cut: response(standard()[1])[:cut]))
def test_what_is_no_response(der):
    refused(der, "no OCSP response|another certificate")


def test_what_a_certificate_names():
    root, leaf = standard()
    assert data_for(leaf.certificate, root.certificate) == data_of(leaf, "http://ocsp.example.org/")
    assert data_for(root.certificate, root.certificate) is None
