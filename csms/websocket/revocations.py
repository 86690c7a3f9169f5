"""Revocation lists of the authorities of client certificates: every certificate of a chain is held against them.

The authority that issued the charge point's own certificate has to have a list that is valid. One above it may do without where
the operator trusts it by name (`tls.client_ca`): what it issued is believed then, which a line in the log says of each at every
load. Whatever has a list is held against it, and nobody is let in by one that has run out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from attrs import define, field
from cryptography import x509
from OpenSSL import SSL, crypto

_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
NEVER = datetime.max.replace(tzinfo=UTC)
_NO_LIST = 3
"""X509_V_ERR_UNABLE_TO_GET_CRL."""


@define(eq=False)
class RevocationLists:
    """The lists of a file, and the authorities that the operator trusts."""

    _lists: list[x509.CertificateRevocationList]
    ends: dict[x509.Name, datetime]
    """When the list of each authority runs out."""
    unlisted: frozenset[x509.Name]
    """Authorities that are trusted and have no list."""
    _above: dict[x509.Name, x509.Name] = field(init=False, factory=dict)
    """Who has issued an authority, as handshakes have shown: at most as many as there are in the two files."""

    @classmethod
    def of(cls, pem: bytes, authorities: Iterable[x509.Certificate]) -> RevocationLists:
        """Read the lists in PEM.

        :raises ValueError: there are none.
        """
        lists = [x509.load_pem_x509_crl(text) for text in _LIST.findall(pem)]
        if not lists:
            raise ValueError("no revocation list in PEM")
        ends: dict[x509.Name, datetime] = {}
        for revocations in lists:
            end = revocations.next_update_utc or NEVER
            ends[revocations.issuer] = max(end, ends.get(revocations.issuer, end))
        return cls(lists, ends, frozenset(authority.subject for authority in authorities) - ends.keys())

    def use(self, context: SSL.Context) -> None:
        """Have a context hold every certificate of a chain against the lists; `verify` has to be its callback."""
        store = context.get_cert_store()
        if store is None:
            raise ValueError("the context has no store of certificates")
        for revocations in self._lists:
            store.add_crl(revocations)
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)

    def verify(self, _connection: SSL.Connection, shown: crypto.X509, error: int, depth: int, ok: int) -> bool:
        """Tell whether a handshake goes on with a certificate of its chain, ``depth`` above the charge point's own."""
        if depth == 0:
            return bool(ok)
        try:
            certificate = shown.to_cryptography()
            subject, issuer = certificate.subject, certificate.issuer
        except ValueError:
            return False
        if not ok:
            return error == _NO_LIST and issuer in self.unlisted
        if subject in self.ends or subject in self.unlisted:
            self._above[subject] = issuer
        return True

    def until(self, issuer: x509.Name) -> datetime:
        """Return when the first of the lists runs out that a certificate of an issuer depends on.

        A session that is resumed brings no chain: what stands above the issuer is known by its handshake.
        """
        end, passed = NEVER, set[x509.Name]()
        above: x509.Name | None = issuer
        while above is not None and above not in passed:
            passed.add(above)
            end = min(end, self.ends.get(above, NEVER))
            above = self._above.get(above)
        return end


def take_the_verdict(_connection: SSL.Connection, _shown: crypto.X509, _error: int, _depth: int, ok: int) -> bool:
    """Tell whether a handshake goes on where there are no lists: as OpenSSL says."""
    return bool(ok)
