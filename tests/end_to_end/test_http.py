"""The HTTP API of a running daemon: commands to a real charge point, and the live view over a restart."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import Daemon, ForkedDaemon, ask

RESET = "/api/v1/chargepoints/CP1/commands/Reset"
ACCEPTED = {"status": "Accepted"}


@contextmanager
def answering(charger: Charger, answer: Callable[[str, str, dict], list | None]) -> Iterator[list[str]]:
    """Have a charge point answer commands; gives the texts that it got."""
    got: list[str] = []

    def listen() -> None:
        for text in charger.socket:
            got.append(text)
            _, message_id, action, payload = json.loads(text)
            said = answer(message_id, action, payload)
            if said is None:
                return
            charger.socket.send(json.dumps(said))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield got
    finally:
        charger.close()
        thread.join(10)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with ForkedDaemon(tmp_path) as daemon:
        yield daemon


def test_a_command_goes_to_the_charge_point_and_its_answer_comes_back(daemon):
    assert ask(daemon, "POST", RESET, {"type": "Soft"})[0] == 404
    charger = Charger(daemon.url, "CP1")
    answers = iter([[3, ACCEPTED], [4, "InternalError", "out of order", {"since": "today"}], [3, ACCEPTED]])

    def answer(message_id, action, payload):
        kind, *rest = next(answers)
        return [kind, message_id, *rest]

    with answering(charger, answer) as got:
        status, body = ask(daemon, "POST", RESET, {"type": "Soft"}, Idempotency_Key="k1")
        assert (status, body["response"]) == (200, ACCEPTED)
        assert got == [f'[2,"{body["messageId"]}","Reset",{{"type":"Soft"}}]']
        assert ask(daemon, "POST", RESET, {"type": "Soft"}, Idempotency_Key="k1") == (200, body)
        status, body = ask(daemon, "POST", RESET, {"type": "Soft"})
        assert (status, body["errorCode"], body["errorDetails"]) == (502, "InternalError", {"since": "today"})
        status, body = ask(daemon, "POST", RESET, {"type": "Soft"}, Prefer="respond-async")
        assert (status, list(body)) == (202, ["messageId"])
        status, body = ask(daemon, "POST", RESET, {"type": "Softly"})
        assert (status, body["path"]) == (422, "type")
        assert ask(daemon, "POST", RESET.replace("Reset", "BootNotification"), {})[0] == 404
        assert ask(daemon, "GET", "/api/v1/chargepoints/CP1")[1]["connected"] is True
    assert len(got) == 3


def test_a_lost_socket_and_silence_are_told_from_nothing_sent(daemon):
    charger = Charger(daemon.url, "CP1")
    with answering(charger, lambda *_: charger.socket.close()):
        status, body = ask(daemon, "POST", RESET, {"type": "Hard"})
        assert (status, body["outcome"]) == (504, "ConnectionLost")
    status, body = ask(daemon, "POST", RESET, {"type": "Hard"})
    assert (status, body["outcome"]) == (503, "NotConnected")
    with Charger(daemon.url, "CP1") as charger:
        status, body = ask(daemon, "POST", RESET + "?timeout=0.2", {"type": "Hard"})
        assert (status, body["outcome"]) == (504, "Timeout")
        assert json.loads(charger.socket.recv(timeout=5))[1] == body["messageId"]


def test_a_command_that_may_wait_is_sent_when_the_charge_point_is_back(daemon):
    Charger(daemon.url, "CP1").close()
    status, body = ask(daemon, "POST", RESET + "?expiresAt=2100-01-01T00:00:00Z", {"type": "Soft"})
    assert status == 202
    # It was accepted before: it may be spoken to as soon as it is there.
    with Charger(daemon.url, "CP1", boot=False) as charger:
        assert json.loads(charger.socket.recv(timeout=10)) == [2, body["messageId"], "Reset", {"type": "Soft"}]


def test_the_live_view_goes_on_after_a_restart(daemon):
    def follow(last_id: int | None) -> Iterator[dict]:
        headers = {"Accept": "text/event-stream", **({} if last_id is None else {"Last-Event-ID": str(last_id)})}
        request = urllib.request.Request(f"http://127.0.0.1:{daemon.http_port}/api/v1/events?after=0", headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    stream = follow(None)
    with Charger(daemon.url, "CP1") as charger:
        charger.status("Available")
        seen = [next(stream) for _ in range(3)]
        assert [item["event"]["eventType"] for item in seen] == ["connected", "booted", "status_changed"]
        charger.status("Preparing")
        # The stop ends the stream, after what happened before it.
        assert daemon.terminate() == 0
        seen += list(stream)
    daemon.start()
    with Charger(daemon.url, "CP1") as charger:
        charger.status("Charging")
        for item in follow(seen[-1]["position"]):
            seen.append(item)
            if item["event"]["payload"].get("status") == "Charging":
                break
    assert [item["position"] for item in seen] == list(range(1, len(seen) + 1))
    words = [item["event"]["payload"]["status"] for item in seen if item["event"]["eventType"] == "status_changed"]
    assert words == ["Available", "Preparing", "Charging"]
