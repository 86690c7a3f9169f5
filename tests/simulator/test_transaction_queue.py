"""The queue: in order, the same message again until it is answered, its transactionId filled in when it is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.simulator.sessions import SessionRecord
from csms.simulator.transaction_queue import METER_VALUES, START, STOP, BadAnswer, QueuedMessage, TransactionQueue


def session():
    return SessionRecord("CP", 1, "TAG", 0, "2026-06-01T12:00:00.000Z", started_offline=True)


def whole_session(queue, meter_values=1):
    record = session()
    queue.put(QueuedMessage(record, START, {"meterStart": 0}))
    for _ in range(meter_values):
        record.meter_values += 1
        queue.put(QueuedMessage(record, METER_VALUES, {"connectorId": 1}))
    queue.put(QueuedMessage(record, STOP, {"meterStop": 9}))
    return record


def test_a_stop_behind_a_start_carries_the_id_that_the_start_was_given():
    finished = []
    queue = TransactionQueue(3, finished.append)
    record = whole_session(queue)
    assert queue.sending(queue.next()) == {"meterStart": 0}
    queue.settle(queue.next(), {"transactionId": 77, "idTagInfo": {"status": "Invalid"}})
    assert queue.sending(queue.next()) == {"connectorId": 1, "transactionId": 77}
    queue.settle(queue.next(), {})
    assert queue.sending(queue.next()) == {"meterStop": 9, "transactionId": 77}
    assert finished == []
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
    assert queue.next().action == STOP
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
            settled.append((records.index(message.session), [START, METER_VALUES, STOP].index(message.action)))
        elif what == "refuse":
            queue.refuse(message)
    assert settled == sorted(settled)
    queue.next()
    assert queue.answered + queue.dropped + len(queue) == total
    assert all(record.transaction_id in (None, index + 1) for index, record in enumerate(records))
