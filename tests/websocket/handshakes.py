"""TLS handshakes in memory: Python's own `ssl`, which tells whether a session was resumed, against a connection of the daemon's."""

from __future__ import annotations

import ssl
from contextlib import suppress

from attrs import frozen
from cryptography import x509
from OpenSSL import SSL

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
_RECORDS = 1 << 20


def client_context(version=V13, place=None, suites=None):
    """Return the context of a client that trusts anybody, with the certificate and key of a place where there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if place is not None:
        context.load_cert_chain(f"{place}.pem", f"{place}.key")
    if suites is not None:
        context.set_ciphers(suites)
    return context


@frozen
class Handshake:
    """Two sides that have shaken hands."""

    client: ssl.SSLObject
    server: SSL.Connection

    @property
    def shown(self):
        """The common name that the server has shown."""
        certificate = x509.load_der_x509_certificate(self.client.getpeercert(True))
        return certificate.subject.rfc4514_string().removeprefix("CN=")


def shake(tls, context, *, server_name=None, session=None):
    """Shake hands and return both sides; raises ssl.SSLError or SSL.Error where one of them refuses."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=server_name, session=session)
    server = tls.serverConnectionForTLS(None)
    server.set_accept_state()
    done = set()
    while len(done) < 2 or outgoing.pending:
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
            done.add("client")
        if outgoing.pending:
            server.bio_write(outgoing.read())
        try:
            server.do_handshake()
            done.add("server")
        except SSL.WantReadError:
            pass
        finally:
            _hand_over(server, incoming)
    # The tickets of TLS 1.3 come with what is read first.
    server.send(b".")
    _hand_over(server, incoming)
    assert client.read(1) == b"."
    return Handshake(client, server)


def _hand_over(server, incoming):
    with suppress(SSL.WantReadError):
        incoming.write(server.bio_read(_RECORDS))
