"""The queue: in order, the same message again until it is answered, its transactionId filled in when it is sent."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16.enums import ReadingContext

from csms.simulator.curve import ChargingCurve
from csms.simulator.sessions import SessionRecord
from csms.simulator.transaction_queue import BadAnswer, Kind, TransactionQueue
from csms.simulator.v16.dialect import Transaction16

TIME = "2026-06-01T12:30:00.000Z"
CURVE = ChargingCurve(11_000, 58_000, 0.4, 3)
KINDS = [Kind.STARTED, Kind.SAMPLED, Kind.ENDED]


def session():
    return SessionRecord("CP", 1, "TAG", 0, "2026-06-01T12:00:00.000Z", started_offline=True)


def whole_session(queue, meter_values=1):
    record = session()
    messages = Transaction16(record, CURVE, Random(1), None)
    queue.put(messages.started(offline=True))
    for _ in range(meter_values):
        record.meter_values += 1
        queue.put(messages.sampled(CURVE.at(60), 9, TIME, ReadingContext.sample_periodic, offline=True))
    record.meter_stop_wh, record.stop_timestamp, record.reason = 9, TIME, "Local"
    queue.put(messages.ended(offline=True))
    return record


def test_a_stop_behind_a_start_carries_the_id_that_the_start_was_given():
    finished = []
    queue = TransactionQueue(3, finished.append)
    record = whole_session(queue)
    assert queue.holds()
    assert "transactionId" not in queue.sending(queue.next())
    queue.settle(queue.next(), {"transactionId": 77, "idTagInfo": {"status": "Invalid"}})
    assert queue.sending(queue.next())["transactionId"] == 77
    queue.settle(queue.next(), {})
    stop = queue.sending(queue.next())
    assert (stop["transactionId"], stop["meterStop"]) == (77, 9)
    assert (finished, queue.holds(77), queue.holds(78)) == ([], True, False)
    queue.settle(queue.next(), {})
    assert finished == [record]
    assert (record.transaction_id, record.id_tag_status) == (77, "Invalid")
    assert (record.start_answered, record.stop_answered, record.meter_values_answered) == (True, True, 1)
    assert queue.next() is None


def test_what_was_not_answered_goes_out_again_unchanged():
    queue = TransactionQueue(3, lambda _: None)
    record = whole_session(queue)
    assert queue.sending(queue.next()) == queue.sending(queue.next())
    assert record.repeated == 1
    assert len(queue) == 3


def test_an_answer_to_a_start_without_an_id_settles_nothing():
    queue = TransactionQueue(3, lambda _: None)
    record = whole_session(queue)
    with pytest.raises(BadAnswer):
        queue.settle(queue.next(), {"idTagInfo": {"status": "Accepted"}})
    assert (len(queue), record.start_answered, record.transaction_id) == (3, False, None)


def test_a_refused_message_is_dropped_after_its_attempts():
    queue = TransactionQueue(2, lambda _: None)
    record = whole_session(queue)
    queue.settle(queue.next(), {"transactionId": 1})
    assert queue.refuse(queue.next()) is True
    assert queue.refuse(queue.next()) is False
    assert queue.next().kind is Kind.ENDED
    assert (queue.dropped, record.dropped) == (1, 1)


def test_with_a_dropped_start_goes_the_whole_session_and_no_other():
    finished = []
    queue = TransactionQueue(1, finished.append)
    first, second = whole_session(queue), whole_session(queue)
    queue.refuse(queue.next())
    assert queue.next().session is second
    assert (first.dropped, second.dropped, finished) == (3, 0, [first])


@given(st.lists(st.sampled_from(["answer", "lose", "refuse"]), max_size=60), st.integers(0, 4))
def test_the_order_is_kept_whatever_happens(happenings, meter_values):
    queue = TransactionQueue(2, lambda _: None)
    records = [whole_session(queue, meter_values) for _ in range(3)]
    total, settled = len(queue), []
    for what in happenings:
        message = queue.next()
        if message is None:
            break
        queue.sending(message)
        if what == "answer":
            queue.settle(message, {"transactionId": 1 + records.index(message.session)})
            settled.append((records.index(message.session), KINDS.index(message.kind)))
        elif what == "refuse":
            queue.refuse(message)
    assert settled == sorted(settled)
    queue.next()
    assert queue.answered + queue.dropped + len(queue) == total
    assert all(record.transaction_id in (None, index + 1) for index, record in enumerate(records))
