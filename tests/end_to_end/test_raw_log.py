"""What was said is in the raw log after a restart, with the broker or without, and nothing is left behind at the stop."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from csms.store.database import parse_url, reading_engine
from csms.store.deviations import list_deviations
from csms.store.messages import list_messages
from tests.end_to_end.charger import CallError, Charger
from tests.end_to_end.daemon import ForkedDaemon


def read(daemon, query, *arguments, **wanted):
    engine = reading_engine(parse_url(f"sqlite:///{daemon.database}"), "full")
    try:
        with closing(engine.connect()) as connection:
            return query(connection, *arguments, **wanted)
    finally:
        engine.dispose()


def said(daemon, client_id="CP1"):
    found = read(daemon, list_messages, client_id, limit=500)
    return [(item.direction, item.kind, item.action) for item in reversed(found)]


SESSION = [
    (direction, kind, action)
    for action in ("BootNotification", "StatusNotification", "StartTransaction", "MeterValues", "StopTransaction")
    for direction, kind in (("in", "CALL"), ("out", "CALLRESULT"))
]


def run_session(charger):
    charger.status("Preparing")
    transaction = charger.begin("2026-03-01T10:00:00Z")
    charger.meter(transaction, "2026-03-01T10:05:00Z", 1500)
    charger.end(transaction, "2026-03-01T10:10:30Z", 2234)


def test_the_messages_of_a_session_are_there_after_a_restart(tmp_path):
    with ForkedDaemon(tmp_path) as daemon:
        with Charger(daemon.url, "CP1") as charger:
            run_session(charger)
            # At once, long before the next flush: what waits is written at the stop, after the sockets are closed.
            assert daemon.terminate() == 0
        assert said(daemon) == SESSION
        daemon.start()
        with Charger(daemon.url, "CP1", boot=False) as charger:
            charger.call("StatusNotification", connectorId=1, errorCode="NoError", status="Sleeping", info="x" * 60)
            with pytest.raises(CallError):
                charger.call("Nonsense")
        assert daemon.terminate() == 0
        assert said(daemon) == [
            *SESSION,
            ("in", "CALL", "StatusNotification"),
            ("out", "CALLRESULT", "StatusNotification"),
            ("in", "CALL", "Nonsense"),
            ("out", "CALLERROR", "Nonsense"),
        ]
        quirks = {item.deviation: item.count for item in read(daemon, list_deviations, "CP1")}
        assert quirks == {"StatusNotification status: enum": 1, "StatusNotification info: maxLength": 1}


def test_the_messages_before_a_crash_are_there_but_for_the_last_seconds(tmp_path):
    with ForkedDaemon(tmp_path) as daemon:
        with Charger(daemon.url, "CP1") as charger:
            run_session(charger)
            wait_until(lambda: len(said(daemon)) == len(SESSION))
            daemon.kill()
        assert said(daemon) == SESSION


def test_both_the_stream_and_the_log_get_every_message(daemon, subscriber):
    with Charger(daemon.url, "CP1") as charger:
        run_session(charger)
    subscriber.wait_topic("ocpp/responses/CP1/StopTransaction")
    assert daemon.terminate() == 0
    assert said(daemon) == SESSION


def test_switched_off_nothing_is_kept(tmp_path):
    with ForkedDaemon(tmp_path, CSMS_MESSAGES_BYTES_PER_CHARGEPOINT="0") as daemon:
        with Charger(daemon.url, "CP1") as charger:
            run_session(charger)
        assert daemon.terminate() == 0
        assert said(daemon) == []


def wait_until(condition):
    deadline = time.monotonic() + 10
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        tick.wait(0.05)
