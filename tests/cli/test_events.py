"""``csms events``: the log page by page, and live until Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest

from .command import environment


def item(position, kind="completed", **payload):
    event = {"timestamp": "2030-01-01T00:00:00Z", "clientId": "CP1", "eventType": kind, "payload": payload}
    return {"position": position, "topic": f"csms/x/CP1/{kind}", "event": event}


def block(*arguments, **payload):
    shown = item(*arguments, **payload)
    return f"id: {shown['position']}\ndata: {json.dumps(shown)}\n\n".encode()


def test_the_log_page_by_page(run, api):
    api.answer("GET /events?type=a&type=b&clientId=CP1&after=7&limit=500", {"items": [item(8)], "next": "9"})
    api.answer("GET /events?type=a&type=b&clientId=CP1&after=7&limit=500&cursor=9", {"items": [item(11)]})
    arguments = ["--type", "a", "--type", "b", "--chargepoint", "CP1", "--after", "7", "--all", "--json"]
    out, err, status = run("events", *arguments)
    assert (err, status) == ([], 0)
    assert [json.loads(line) for line in out.splitlines()] == [item(8), item(11)]


def test_what_it_says_in_words(run, api):
    items = [
        item(1, energyUsed=1.5, duration=30, reason="Local\x1b[31m"),
        item(2, "completed"),
        item(3, "reservation_changed\u202e", status="USED [bold]"),
        {"position": 4, "event": 5},
        {"position": 5, "topic": "t", "event": {"eventType": "completed", "payload": "x"}},
    ]
    api.answer("GET /events?limit=50", {"items": items})
    out, err, status = run("events")
    assert (err, status) == ([], 0)
    lines = out.splitlines()
    assert lines[0] == (
        r"       1  2030-01-01T00:00:00Z  csms/x/CP1/completed  1.500 kWh in 30 minutes, Local\u001b[31m"
    )
    assert lines[1].endswith("csms/x/CP1/completed  {}")
    assert lines[2].endswith(r'reservation_changed\u202e  {"status": "USED [bold]"}')
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        ("reservation_changed", {"reservationId": 7, "connectorId": 0, "idTag": "T", "status": "ACTIVE"},
         "reservation 7, any connector for T: ACTIVE"),
        ("reservation_changed",
         {"reservationId": 7, "connectorId": 1, "idTag": "T", "idTagStatus": "Blocked", "status": "CANCELLED",
          "previousStatus": "ACTIVE", "reason": "Faulted"},
         "reservation 7, connector 1 for T (Blocked): ACTIVE -> CANCELLED, Faulted"),
        ("configuration_changed", {"key": "K", "value": "2", "previousValue": "1", "status": "Accepted"}, "K: 1 -> 2 (Accepted)"),
        ("configuration_changed", {"key": "K", "value": "2"}, "K: 2"),
        ("configuration_changed", {"key": "K"}, "K: no value"),
        ("configuration_changed", {"key": "K", "wanted": "2", "status": "NotSupported"}, "K is not 2: NotSupported"),
        ("firmware_status", {"status": "Installed"}, "Installed"),
        ("diagnostics_status", {"status": "Uploading", "requestId": 1}, "Uploading"),
        ("start_refused", {"connectorId": 1, "idTag": "T", "registration": "Pending"},
         "connector 1 by T: the registration is Pending"),
        ("orphan_stop", {"transactionId": -1, "meterStop": 2234}, "of transaction -1, which is not known, at 2234 Wh"),
    ],
)  # fmt: skip
def test_what_the_events_of_operators_say(kind, payload, said, run, api):
    api.answer(
        "GET /events?limit=50",
        {"items": [{"position": 1, "topic": "t", "event": {"eventType": kind, "payload": payload}}]},
    )
    assert run("events")[0].splitlines() == [f"       1    t  {said}"]


def test_a_log_that_begins_later_is_one_line(run, api):
    api.problem("GET /events?after=1&limit=50", 410, "the log goes on after positions 5 to 9")
    assert run("events", "--after", "1") == ("", ["csms: the log goes on after positions 5 to 9"], 6)


@pytest.fixture
def following(api, tmp_path):
    """`csms events --follow` in a process of its own."""
    running = []

    def start(*arguments):
        command = [sys.executable, "-m", "csms.cli.main", "events", "--follow", *arguments]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment(CSMS_URL=api.url), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def open_end():
    """Keeps a stream open until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def test_events_are_shown_at_once_and_ctrl_c_ends_it_quietly(api, following, open_end):
    api.stream("GET /events?after=2", block(3), open_end)
    process = following("--after", "2", "--json")
    assert json.loads(process.stdout.readline()) == item(3)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_a_reader_that_goes_away_ends_it_quietly(api, following, open_end):
    gone = threading.Event()
    api.stream("GET /events", block(1), lambda: gone.wait(30), block(2), open_end)
    process = following()
    process.stdout.readline()
    process.stdout.close()
    gone.set()
    assert process.wait(30) == 1
    assert process.stderr.read() == ""


def test_a_lost_connection_is_told_and_made_again(api, following, open_end):
    api.stream("GET /events", block(1))
    api.stream("GET /events?after=1", block(1), block(2), open_end)
    process = following("--json")
    assert [json.loads(process.stdout.readline())["position"] for _ in range(2)] == [1, 2]
    assert process.stderr.readline() == "csms: the daemon ended the stream; trying again\n"
