"""Resumed sessions on real sockets: Python's own client on a thread, as the reactor has to go on."""

from __future__ import annotations

import socket

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory

from csms.websocket.client_certificates import ClientCertificates
from tests.websocket.handshakes import V12, V13, client_context
from tests.websocket.pki import NOW, ORGANIZATION, tls_of
from tests.websocket.raw_client import PATIENCE_S, call, frame, request, split_frames
from tests.websocket.server import HOST


def visit(context, number, session=None):
    """Open a WebSocket and ask something: return whether the session was resumed, the session and the answer's opcode."""
    plain = socket.create_connection((HOST, number), PATIENCE_S)
    with context.wrap_socket(plain, session=session) as secured:
        secured.sendall(request())
        # The tickets of TLS 1.3 come with what is read first.
        head, _, rest = _until(secured, b"", b"\r\n\r\n").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        secured.sendall(frame(call("1")))
        [(_opcode, answer)], _ = split_frames(_until(secured, rest, b"]"))
        assert b'"1"' in answer
        return secured.session_reused, secured.session


def _until(secured, got, end):
    while end not in got:
        more = secured.recv(4096)
        assert more, got
        got += more
    return got


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("shows", [True, False])
@pytest_twisted.ensureDeferred
async def test_who_resumes_a_session_comes_in(serve, folder, version, shows):
    tls = tls_of(folder, demands=shows)
    server = await serve(
        wrap=lambda factory: TLSMemoryBIOFactory(tls, False, factory), door={"profile": 3 if shows else 0}
    )
    server.sockets.certificate_shown = ClientCertificates(lambda: NOW, ORGANIZATION).shown
    context = client_context(version, folder / "charger" / "CP1" if shows else None)
    session = None
    for is_resumed in (False, True, True):
        was_resumed, session = await deferToThread(visit, context, server.number, session)
        assert was_resumed is is_resumed
