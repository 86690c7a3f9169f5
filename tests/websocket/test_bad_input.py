"""What a charge point gets wrong, over a real socket, row by row: the right CALLERROR or close code, one line in the log
with the clientId, the connection lives on where the standard allows, and no other charge point notices anything.
"""

from dataclasses import dataclass, field

import orjson
import pytest
import pytest_twisted

from tests.websocket.raw_client import BINARY, call, frame


@dataclass
class Row:
    what: str
    sent: bytes
    answer: list | None = None
    code: int | None = None
    counted: dict = field(default_factory=dict)

    def __str__(self):
        return self.what


def _text(what, text, *answer):
    return Row(what, frame(text), list(answer) or None)


FORMATION = "FormationViolation"
ROWS = [
    _text("no JSON", b"{not json", "-1", FORMATION),
    _text("empty", b"", "-1", FORMATION),
    _text("no array", b'{"a":1}', "-1", FORMATION),
    _text("an empty array", b"[]", "-1", FORMATION),
    _text("a number", b"2", "-1", FORMATION),
    _text("unknown message type", b'[7,"1","Heartbeat",{}]'),
    _text("message type is a text", b'["2","1","Heartbeat",{}]'),
    _text("no id", b"[2]", "-1", FORMATION),
    _text("an empty id", b'[2,"","Heartbeat",{}]', "-1", FORMATION),
    _text("id is a number", b'[2,1,"Heartbeat",{}]', "-1", FORMATION),
    _text("an overlong id", call("x" * 37), "x" * 37, FORMATION),
    _text("a very long id", call("x" * 1000), "-1", FORMATION),
    _text("no payload", b'[2,"1","Heartbeat"]', "1", FORMATION),
    _text("payload is an array", b'[2,"1","Heartbeat",[]]', "1", FORMATION),
    _text("too many members", b'[2,"1","Heartbeat",{},{}]', "1", FORMATION),
    _text("action is a number", b'[2,"1",5,{}]', "1", FORMATION),
    _text("unknown action", call("1", "Nonsense"), "1", "NotImplemented"),
    _text("an action of the other side", call("1", "Reset", {"type": "Soft"}), "1", "NotSupported"),
    _text("missing member", call("1", "Authorize"), "1", "ProtocolError"),
    _text("wrong type", call("1", "Authorize", {"idTag": {}}), "1", "TypeConstraintViolation"),
    _text("NUL", b'[2,"1","Authorize",{"idTag":"a\\u0000"}]', "-1", FORMATION),
    _text("lone surrogate", b'[2,"1","Authorize",{"idTag":"\\ud800"}]', "-1", FORMATION),
    _text("NaN", b'[2,"1","Heartbeat",{"a":NaN}]', "-1", FORMATION),
    _text("infinite number", b'[2,"1","Heartbeat",{"a":1e999}]', "-1", FORMATION),
    _text("too deep", b'[2,"1","Heartbeat",{"a":' + b"[" * 70 + b"]" * 70 + b"}]", "-1", FORMATION),
    _text("a member twice", b'[2,"1","Authorize",{"idTag":"a","idTag":"b"}]', "-1", FORMATION),
    _text("answer to no CALL", b'[3,"nobody",{}]'),
    _text("error to no CALL", b'[4,"nobody","InternalError","",{}]'),
    _text("malformed answer", b'[3,"nobody",[]]'),
    Row("binary", frame(b"\x00\x01", BINARY), code=1003),
    Row("binary that is a CALL", frame(call("1"), BINARY), code=1003),
    Row("bad UTF-8", frame(b'[2,"1","Heartbeat",{"a":"\xff"}]'), code=1007),
    Row("fragmented bad UTF-8", frame(b'["\xc3', fin=False) + frame(b'("]', 0), code=1007),
    Row("truncated UTF-8", frame(b'["\xe2\x82'), code=1007),
    Row("frame over the limit", frame(b"x" * 5000), code=1009),
    Row("message over the limit", frame(b"x" * 3000, fin=False) + frame(b"x" * 3000, 0), code=1009),
    Row("a length of 2^62", frame(b"", length=1 << 62), code=1009),
    Row("a fragment more than 64", frame(b"", fin=False) + frame(b"", 0, fin=False) * 64, code=1009),
    Row("unmasked", frame(b"[]", mask=None), code=1002),
    Row("reserved bits", frame(b"[]", rsv=4), code=1002),
    Row("reserved opcode", frame(b"[]", 3), code=1002),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest_twisted.ensureDeferred
async def test_row(row, serve, logged):
    server = await serve(message_bytes=4096, frame_bytes=4096)
    other = await server.charge_point("OTHER")
    client = await server.charge_point("CP1")
    before = len(logged.events)
    client.send(row.sent)
    if row.code is not None:
        assert await client.close_code() == row.code
        # Inside a frame without an end its answer to the close would not be heard before the deadline.
        client.hang_up()
        await server.until(lambda: server.registry.get("CP1") is None)
    else:
        assert await client.ask("after") is not None
        assert client.closed_with is None
        refused = [message for message in client.messages if message[1] != "after"]
        if row.answer is None:
            assert refused == []
        else:
            ((kind, *answer, description, details),) = refused
            assert (kind, answer, details) == (4, row.answer, {})
            assert 0 < len(description) <= 255
    lines = [event for event in logged.events[before:] if "disconnected" not in event["log_format"]]
    assert [event.get("client_id") for event in lines] == ["CP1"], lines
    assert logged.failures == []
    assert (await other.ask("other"))[0] == 3
    assert len(other.messages) == 1
    assert server.registry.get("OTHER") is not None


@pytest_twisted.ensureDeferred
async def test_all_rows_at_once(serve, logged):
    """One charge point that does everything wrong that leaves its socket open; its good messages are all answered."""
    server = await serve()
    client = await server.charge_point()
    rows = [row for row in ROWS if row.code is None]
    for number, row in enumerate(rows):
        client.send(row.sent)
        client.text(call(f"good{number}"))
    await client.answer(f"good{len(rows) - 1}")
    assert len([message for message in client.messages if message[0] == 3]) == len(rows)
    assert len([message for message in client.messages if message[0] == 4]) == len([r for r in rows if r.answer])
    assert len(logged.about("CP1")) == len(rows)


@pytest_twisted.ensureDeferred
async def test_hostile_text_is_a_field_of_the_log_and_not_its_format(serve, logged):
    server = await serve()
    client = await server.charge_point()
    action = "{client_id.__class__}\n\x1b[31m"
    answer = await client.ask("1", action)
    assert answer[2] == "NotImplemented"
    (event,) = [event for event in logged.events if event.get("action") == action]
    assert action not in event["log_format"]
    assert orjson.dumps(event["action"])
