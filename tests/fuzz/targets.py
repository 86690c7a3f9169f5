"""What is fuzzed: functions of bytes that raise where something is wrong. Whatever comes in, they return."""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.logger import globalLogPublisher

from csms.events import topics
from csms.ocppj import codec, frames
from csms.websocket import handshake
from csms.websocket.admission import _tidy
from tests.fakes import LogCapture
from tests.fuzz.checked_session import VERSIONS, CheckedSession
from tests.websocket.desk import PEER, Desk, Wire, read
from tests.websocket.raw_client import split_frames

_WEBSOCKET_CLOSE_CODES = {1000, 1001, 1002, 1003, 1007, 1009, 1013}
_STATUSES = {101, 400, 401, 404, 405, 409, 426, 431, 500, 501, 503, 505}
_MOST_HELD_BYTES = 2 * 1024 * 1024


def fuzz_codec(data: bytes) -> None:
    """What is taken is JSON for others too, free of poison, and stays what it is when it is written and read again."""
    try:
        value = codec.parse(data)
    except codec.BadJson:
        return
    assert json.loads(data) == value or _is_rounded(data), "another parser reads something else"
    text = codec.dump(value)
    assert b"\\u0000" not in text.replace(b"\\\\", b"")
    assert codec.parse(text) == value


def _is_rounded(data: bytes) -> bool:
    """Whether there is a number that parsers may read differently: one beyond 64 bits, or a fraction."""
    numbers: list[str] = []
    json.loads(data, parse_int=numbers.append, parse_float=numbers.append)
    return any(len(number) > 17 or not number.lstrip("-").isdigit() for number in numbers)


def fuzz_frames(data: bytes) -> None:
    """A text is a frame or it is refused; an answer is never answered; a message id that is told back is short."""
    for version in VERSIONS:
        try:
            frame = frames.decode(data, version)
        except codec.BadUtf8:
            continue
        except frames.BadFrame as bad:
            assert 0 < len(bad.message_id) <= 255
            assert bad.description
            if bad.code is not None:
                text = frames.encode_error(bad.message_id, bad.code, bad.description)
                assert codec.parse(text)[1] == bad.message_id
            continue
        assert frame.raw == data
        assert 0 < len(frame.message_id) <= version.max_message_id


def fuzz_session(data: bytes) -> None:
    """The first byte picks the version; then lines: `!` commits, `?` lets a commit fail, `^` calls, `~` comes again, others are texts."""
    if not data:
        return
    session = CheckedSession(VERSIONS[data[0] % len(VERSIONS)])
    steps = {b"!": session.commit, b"?": session.fail_commit, b"^": session.call, b"~": session.reconnect}
    try:
        for line in data[1:].split(b"\n"):
            step = steps.get(line)
            if step is not None:
                step()
            else:
                session.receive(line)
    except BaseException:
        session.forget()
        raise
    session.end()


def fuzz_handshake(data: bytes) -> None:
    """A request target is an identity that is safe as a level of a topic, or it is refused; headers never raise."""
    text = data.decode("latin-1")
    _tidy(data)
    offered = handshake.offered_subprotocols(text) or []
    assert all(entry.strip() == entry and entry for entry in offered)
    try:
        client_id = handshake.identity(text, "/ocpp/")
    except handshake.Refusal as refused:
        assert refused.status in {400, 404}
        assert refused.reason.isprintable()
        return
    assert 0 < len(client_id) <= handshake.MAX_IDENTITY
    assert not any(ord(character) < 0x20 or character == "\x7f" for character in client_id)
    level = topics.level(client_id)
    assert not set("/+#\0") & set(level), level
    assert topics.is_publishable(topics.state(client_id))


def fuzz_websocket(data: bytes) -> None:
    """The first byte says whether the bytes come to a new socket or to an open one; the second, in how large pieces."""
    if len(data) < 2:
        return
    log = LogCapture()
    globalLogPublisher.addObserver(log)
    desk = Desk()
    try:
        is_open, size, rest = data[0] & 1, data[1] or 65536, data[2:]
        if is_open:
            protocol = desk.connect()
        else:
            protocol = desk.factory.buildProtocol(PEER)
            protocol.makeConnection(Wire())
        for start in range(0, len(rest), size):
            if protocol.transport.disconnecting or protocol.transport.aborted:
                break
            read(protocol, rest[start : start + size])
            desk.ledger.commit_all()
        assert len(protocol.data) < _MOST_HELD_BYTES
        head, _, body = protocol.transport.value().partition(b"\r\n\r\n")
        if head:
            assert int(head.split()[1]) in _STATUSES, head
        if head.startswith(b"HTTP/1.1 101"):
            codes = [int.from_bytes(payload[:2]) for opcode, payload in split_frames(body)[0] if opcode == 8]
            assert len(codes) <= 1
            assert not codes or codes[0] in _WEBSOCKET_CLOSE_CODES or 3000 <= codes[0] < 5000, codes
        desk.clock.advance(3600)
        assert not log.failures, log.failures[0]["log_failure"].getTraceback()
    finally:
        globalLogPublisher.removeObserver(log)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "codec": fuzz_codec,
    "frames": fuzz_frames,
    "session": fuzz_session,
    "handshake": fuzz_handshake,
    "websocket": fuzz_websocket,
}
