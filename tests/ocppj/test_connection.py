"""The RPC state of one socket: single behaviours. Their interplay is in test_connection_machine.py."""

from __future__ import annotations

import pytest

from csms.ocppj import codec, frames
from csms.ocppj.connection import (
    MAX_WAITING,
    REMEMBERED_ANSWERS,
    Connection,
    Queued,
    Refused,
    Repeated,
    Reply,
    TooManyCalls,
)
from csms.ocppj.frames import Call
from csms.ocppj.versions import V16, Version

HEARTBEAT = b'[2,"1","Heartbeat",{}]'


@pytest.fixture
def connection() -> Connection:
    return Connection(V16)


def call(message_id: str, action: str = "Heartbeat") -> bytes:
    return frames.encode_call(message_id, action, {})


def take(connection: Connection, data: bytes) -> Call:
    event = connection.receive(data)
    assert type(event) is Call
    return event


def test_a_call_is_handed_out_and_its_answer_ends_it(connection: Connection) -> None:
    event = take(connection, HEARTBEAT)
    assert (event.message_id, event.action, event.payload) == ("1", "Heartbeat", {})
    assert connection.busy
    assert connection.answer(b"[3]") is None
    assert not connection.busy


def test_a_call_that_comes_again_gets_its_first_answer(connection: Connection) -> None:
    take(connection, HEARTBEAT)
    connection.answer(b"the first answer")
    event = connection.receive(HEARTBEAT)
    assert type(event) is Repeated
    assert event.text == b"the first answer"
    assert not connection.busy


def test_the_same_id_with_another_payload_is_a_new_call(connection: Connection) -> None:
    """Counters restart after a reboot on the same socket."""
    take(connection, HEARTBEAT)
    connection.answer(b"the first answer")
    assert take(connection, b'[2,"1","Authorize",{"idTag":"A"}]').action == "Authorize"
    connection.answer(b"the second answer")
    again = connection.receive(HEARTBEAT)
    assert type(again) is Repeated
    assert again.text == b"the first answer"


def test_the_latest_answers_are_remembered_and_no_others(connection: Connection) -> None:
    for index in range(REMEMBERED_ANSWERS + 1):
        take(connection, call(str(index)))
        connection.answer(b"answer %d" % index)
    for index in range(1, REMEMBERED_ANSWERS + 1):
        event = connection.receive(call(str(index)))
        assert type(event) is Repeated
        assert event.text == b"answer %d" % index
    assert type(connection.receive(call("0"))) is Call


def test_after_a_callerror_it_is_a_new_attempt(connection: Connection) -> None:
    """Nothing was done: to give the same refusal again would make a charge point drop what it only has to wait for."""
    take(connection, HEARTBEAT)
    connection.answer(frames.encode_error("1", "SecurityError", "not yet"))
    take(connection, HEARTBEAT)
    connection.answer(frames.encode_result("1", {}))
    again = connection.receive(HEARTBEAT)
    assert type(again) is Repeated
    assert again.text == frames.encode_result("1", {})


def test_another_socket_is_another_space_of_ids(connection: Connection) -> None:
    take(connection, HEARTBEAT)
    connection.answer(b"the first answer")
    assert take(Connection(V16), HEARTBEAT).message_id == "1"


def test_a_call_repeated_while_its_first_is_in_hand_waits_and_is_not_done_twice(connection: Connection) -> None:
    take(connection, HEARTBEAT)
    assert connection.receive(HEARTBEAT) == Queued(full=False)
    event = connection.answer(b"the first answer")
    assert type(event) is Repeated
    assert event.text == b"the first answer"
    assert connection.next() is None


def test_calls_behind_a_repeated_one_keep_their_order(connection: Connection) -> None:
    """While a repetition is answered, something that waits must not be overtaken by what arrives."""
    take(connection, HEARTBEAT)
    connection.receive(HEARTBEAT)
    connection.receive(call("2"))
    assert type(connection.answer(b"answer")) is Repeated
    assert type(connection.receive(call("3"))) is Queued
    second = connection.next()
    assert type(second) is Call
    assert second.message_id == "2"
    third = connection.answer(b"answer")
    assert type(third) is Call
    assert third.message_id == "3"


def test_an_answer_without_a_call_is_a_fault_of_ours(connection: Connection) -> None:
    with pytest.raises(RuntimeError):
        connection.answer(b"[3]")


def test_the_queue_of_a_charge_point_that_does_not_wait_is_bounded(connection: Connection) -> None:
    take(connection, call("in hand"))
    for index in range(MAX_WAITING - 1):
        assert connection.receive(call(str(index))) == Queued(full=False)
    assert connection.receive(call("last")) == Queued(full=True)
    beyond = connection.receive(call("beyond"))
    assert type(beyond) is Refused
    assert beyond.text is not None
    assert codec.parse(beyond.text)[:3] == [4, "beyond", "GenericError"]
    assert connection.waiting == MAX_WAITING


def test_a_bad_frame_is_refused_and_changes_nothing(connection: Connection) -> None:
    take(connection, HEARTBEAT)
    event = connection.receive(b'[2,"7","Heartbeat"]')
    assert type(event) is Refused
    assert event.text is not None
    assert codec.parse(event.text)[:3] == [4, "7", "FormationViolation"]
    assert connection.busy
    assert connection.waiting == 0


def test_bytes_that_are_not_utf8_are_raised(connection: Connection) -> None:
    with pytest.raises(codec.BadUtf8):
        connection.receive(b"\xff")


def test_an_unknown_message_type_gets_silence(connection: Connection) -> None:
    event = connection.receive(b'[7,"1","Heartbeat",{}]')
    assert type(event) is Refused
    assert event.text is None


def test_our_calls_leave_one_at_a_time_in_order(connection: Connection) -> None:
    assert connection.call("a", "Reset", {"type": "Soft"}) == b'[2,"a","Reset",{"type":"Soft"}]'
    assert connection.call("b", "ClearCache", {}) is None
    assert connection.next_call() is None
    reply = connection.receive(b'[3,"a",{"status":"Accepted"}]')
    assert type(reply) is Reply
    assert (reply.action, reply.frame.message_id) == ("Reset", "a")
    # Between the answer and next_call nothing may overtake.
    assert connection.call("c", "GetConfiguration", {}) is None
    assert connection.next_call() == ("b", b'[2,"b","ClearCache",{}]')
    assert connection.outstanding == "b"
    connection.receive(b'[4,"b","NotSupported","",{}]')
    assert connection.next_call() == ("c", b'[2,"c","GetConfiguration",{}]')


@pytest.mark.parametrize("answer", [b'[3,"b",{}]', b'[4,"b","GenericError","",{}]', b'[3,"",{}]', b'[3,"a",[]]'])
def test_an_answer_that_nobody_waits_for_changes_nothing(connection: Connection, answer: bytes) -> None:
    connection.call("a", "ClearCache", {})
    event = connection.receive(answer)
    assert type(event) is Refused
    assert event.text is None
    assert connection.outstanding == "a"


def test_a_call_that_expires_fails_alone(connection: Connection) -> None:
    """evcc#30177: the connection stays, the next CALL goes out, and a late answer settles nothing."""
    connection.call("a", "ClearCache", {})
    connection.call("b", "ClearCache", {})
    connection.expire("a")
    assert connection.next_call() == ("b", b'[2,"b","ClearCache",{}]')
    assert type(connection.receive(b'[3,"a",{}]')) is Refused
    assert connection.outstanding == "b"
    assert type(connection.receive(b'[3,"b",{}]')) is Reply


def test_a_call_may_expire_before_it_is_sent(connection: Connection) -> None:
    connection.call("a", "ClearCache", {})
    connection.call("b", "ClearCache", {})
    connection.call("c", "ClearCache", {})
    connection.expire("b")
    connection.expire("never heard of")
    connection.receive(b'[3,"a",{}]')
    assert connection.next_call() == ("c", b'[2,"c","ClearCache",{}]')


def test_our_queue_is_bounded(connection: Connection) -> None:
    for index in range(MAX_WAITING + 1):
        connection.call(str(index), "ClearCache", {})
    with pytest.raises(TooManyCalls):
        connection.call("beyond", "ClearCache", {})
    assert connection.outstanding == "0"


def test_the_two_directions_do_not_wait_for_each_other(connection: Connection) -> None:
    connection.call("1", "ClearCache", {})
    assert take(connection, HEARTBEAT).message_id == "1"
    assert type(connection.receive(b'[3,"1",{}]')) is Reply
    assert connection.busy


def test_the_version_belongs_to_the_socket(connection: Connection) -> None:
    """lbbrhzn#2008: the version changes between two connections."""
    other = Version(
        "2.0.1", "ocpp2.0.1", "ocpp.v201", "FormatViolation", "OccurrenceConstraintViolation", "RpcFrameworkError", True
    )
    refused = Connection(other).receive(b'[2,"7","Heartbeat"]')
    assert type(refused) is Refused
    assert refused.text is not None
    assert codec.parse(refused.text)[2] == "FormatViolation"
    assert connection.version is V16
