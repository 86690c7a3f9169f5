"""A charge point that nobody has accepted yet: from its first boot to its first transaction, on real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.command import csms
from tests.end_to_end.charger import CallError, Charger
from tests.end_to_end.daemon import Daemon, ForkedDaemon, ask, wait

POINT = "/api/v1/chargepoints"
ACCEPTED = {"status": "Accepted"}
BOOT = {"chargePointVendor": "ACME", "chargePointModel": "One"}
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-03-01T10:00:00Z"}
STOP = {"meterStop": 2234, "timestamp": "2026-03-01T10:10:00Z", "reason": "Local"}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with ForkedDaemon(tmp_path / "daemon", CSMS_OCPP_UNKNOWN_CHARGEPOINTS="pending") as daemon:
        yield daemon


def _command(daemon: Daemon, charger: Charger, action: str, payload: dict, answer: dict) -> dict:
    """Send a command over HTTP, let the charge point answer it, and return the response that came back."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, daemon, "POST", f"{POINT}/{charger.client_id}/commands/{action}", payload)
        kind, message_id, *call = json.loads(charger.socket.recv(timeout=15))
        assert (kind, call) == (2, [action, payload])
        charger.socket.send(json.dumps([3, message_id, answer]))
        status, body = asked.result(15)
    assert status == 200, body
    return body["response"]


def _transactions(daemon: Daemon) -> list[dict]:
    return ask(daemon, "GET", "/api/v1/transactions")[1]["items"]


def _events(daemon: Daemon) -> list[str]:
    types = "&".join(
        f"type={name}" for name in ("start_refused", "started", "completed", "session_cost", "orphan_stop")
    )
    items = ask(daemon, "GET", f"/api/v1/events?{types}")[1]["items"]
    return [item["event"]["eventType"] for item in items]


def test_from_the_first_boot_to_the_first_transaction(daemon):
    with Charger(daemon.url, "CP1", boot=False) as charger:
        assert charger.call("BootNotification", **BOOT)["status"] == "Pending"
        assert ask(daemon, "GET", f"{POINT}/CP1")[1]["registration"] == "Pending"

        keys = {"configurationKey": [{"key": "TransactionMessageAttempts", "readonly": False, "value": "3"}]}
        asked = {"key": ["TransactionMessageAttempts"]}
        assert _command(daemon, charger, "GetConfiguration", asked, keys) == keys
        change = {"key": "TransactionMessageAttempts", "value": "100"}
        assert _command(daemon, charger, "ChangeConfiguration", change, ACCEPTED) == ACCEPTED
        known = ask(daemon, "GET", f"{POINT}/CP1/configuration")[1]["items"]
        assert [(item["key"], item["value"]) for item in known] == [("TransactionMessageAttempts", "100")]

        # OCPP 1.6 §4.2: not allowed while Pending. Nothing is sent, so nothing has to be read here.
        for action, payload in [
            ("RemoteStartTransaction", {"idTag": "T"}),
            ("RemoteStopTransaction", {"transactionId": 1}),
        ]:
            status, problem = ask(daemon, "POST", f"{POINT}/CP1/commands/{action}", payload)
            assert (status, problem["outcome"], "Pending" in problem["detail"]) == (503, "NotConnected", True)

        # What it was asked for is answered; its own transactions wait.
        trigger = {"requestedMessage": "StatusNotification", "connectorId": 1}
        assert _command(daemon, charger, "TriggerMessage", trigger, ACCEPTED) == ACCEPTED
        assert charger.status("Available") == {}
        for _ in range(2):
            with pytest.raises(CallError, match="SecurityError"):
                charger.call("StartTransaction", "queued-start", **START)
        assert _transactions(daemon) == []

        assert ask(daemon, "PUT", f"{POINT}/CP1", {"registration": "Accepted"})[0] == 200
        trigger = {"requestedMessage": "BootNotification"}
        assert _command(daemon, charger, "TriggerMessage", trigger, ACCEPTED) == ACCEPTED
        assert charger.call("BootNotification", **BOOT)["status"] == "Accepted"

        # The queue from before, under the same message id; and once more, as if the answers had been lost.
        queued = charger.call("StartTransaction", "queued-start", **START)
        assert queued["idTagInfo"]["status"] == "Accepted"
        transaction = queued["transactionId"]
        assert charger.call("StopTransaction", transactionId=transaction, **STOP) == {}
        assert charger.call("StartTransaction", **START)["transactionId"] == transaction
        assert charger.call("StopTransaction", transactionId=transaction, **STOP) == {}

        other = charger.begin("2026-03-01T11:00:00Z", meter=2234)
        assert [(item["transactionId"], item["status"]) for item in _transactions(daemon)] == [
            (other, "active"),
            (transaction, "completed"),
        ]
        assert _transactions(daemon)[1]["energyUsed"] == 1.234
        assert _events(daemon) == ["start_refused", "started", "completed", "session_cost", "started"]


def test_the_queue_of_a_charge_point_that_comes_back_on_another_socket(daemon):
    """It lost power while it was Pending; what it had queued before goes out when it is accepted."""
    with Charger(daemon.url, "CP1", boot=False) as charger:
        charger.call("BootNotification", **BOOT)
        with pytest.raises(CallError, match="SecurityError"):
            charger.call("StartTransaction", **START)
    assert ask(daemon, "PUT", f"{POINT}/CP1", {"registration": "Accepted"})[0] == 200
    with Charger(daemon.url, "CP1", boot=False) as charger:
        # It was told Pending: that it is accepted, its next BootNotification tells it.
        assert ask(daemon, "POST", f"{POINT}/CP1/commands/ClearCache", {})[0] == 503
        assert charger.call("BootNotification", **BOOT)["status"] == "Accepted"
        transaction = charger.call("StartTransaction", **START)["transactionId"]
        charger.call("StopTransaction", transactionId=transaction, **STOP)
    assert [(item["status"], item["energyUsed"]) for item in _transactions(daemon)] == [("completed", 1.234)]
    assert _events(daemon) == ["start_refused", "started", "completed", "session_cost"]


def test_the_simulated_charge_point_waits_as_the_specification_says(daemon, tmp_path):
    """The same by the command line: it sends nothing while it waits, and its session comes when it is accepted."""
    url = f"http://127.0.0.1:{daemon.http_port}"

    def run(*arguments):
        out, err, status = csms(*arguments, "--json", cwd=tmp_path, CSMS_URL=url)
        assert (err, status) == ([], 0)
        return json.loads(out)

    with ThreadPoolExecutor(1) as pool:
        simulation = ("simulate", "--url", f"{daemon.url}SIM1", "--speed", "36000", "--timeout", "50", "--json")
        simulated = pool.submit(csms, *simulation, cwd=tmp_path)
        wait(lambda: ask(daemon, "GET", f"{POINT}/SIM1")[1].get("bootedAt"))
        waiting = run("chargepoint", "show", "SIM1")
        assert (waiting["registration"], waiting["connectors"]) == ("Pending", [])
        change = '{"key": "MeterValueSampleInterval", "value": "600"}'
        assert run("send", "SIM1", "ChangeConfiguration", change)["response"] == ACCEPTED
        assert run("chargepoint", "put", "SIM1", "--registration", "Accepted")["registration"] == "Accepted"
        assert run("send", "SIM1", "TriggerMessage", '{"requestedMessage": "BootNotification"}')["response"] == ACCEPTED
        out, err, status = simulated.result(60)
    assert (err, status) == ([], 0)
    session = json.loads(out.splitlines()[0])
    (transaction,) = run("transaction", "list")["items"]
    assert (transaction["transactionId"], transaction["status"]) == (session["transaction_id"], "completed")
    assert _events(daemon) == ["started", "completed", "session_cost"]
