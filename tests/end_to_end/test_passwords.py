"""Passwords end to end: set on the command line, asked for in the handshake, rotated, and a fleet that comes back at once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from csms.passwords.hashing import make
from csms.passwords.secret import checked
from tests.cli.command import csms
from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import Daemon, ForkedDaemon, ask, wait
from tests.websocket.raw_client import request

OLD = "correct horse battery"
FLEET = 250


def _basic(client_id: str, password: bytes) -> str:
    return "Basic " + b64encode(client_id.encode() + b":" + password).decode()


def _charger(daemon: Daemon, password: bytes | None, client_id: str = "CP1", version: str = "1.6") -> Charger:
    headers = {"Authorization": _basic(client_id, password)} if password is not None else {}
    return Charger(daemon.url, client_id, version=version, additional_headers=headers)


def _status(daemon: Daemon, password: bytes | None, client_id: str = "CP1", version: str = "1.6") -> int:
    """Return the status of a handshake."""
    try:
        _charger(daemon, password, client_id, version).close()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    with ForkedDaemon(tmp_path / "daemon") as daemon:
        yield daemon


@pytest.fixture
def run(daemon: Daemon, tmp_path: Path) -> Callable[..., str]:
    """Run the command line against the daemon."""

    def run(*arguments: str) -> str:
        url = f"http://127.0.0.1:{daemon.http_port}"
        out, err, status = csms("--url", url, *arguments, cwd=tmp_path)
        assert (err, status) == ([], 0)
        return out

    return run


def _events(daemon: Daemon, kind: str) -> list[dict]:
    return [item["event"] for item in ask(daemon, "GET", f"/api/v1/events?type={kind}")[1]["items"]]


def _everything(daemon: Daemon) -> bytes:
    """Return whatever could hold a secret: the ledger, the log, and what the API tells."""
    files = [path for path in daemon.folder.iterdir() if path.is_file()]
    told = [daemon.get(f"/api/v1/{path}")[1] for path in ("events", "chargepoints", "chargepoints/CP1/messages")]
    return b"".join(path.read_bytes() for path in files) + "".join(told).encode()


def test_a_password_is_set_asked_for_and_rotated_and_nobody_gets_to_see_it(daemon, run, tmp_path):
    assert _status(daemon, None) == 101
    (tmp_path / "secret").write_text(OLD + "\n")
    assert "hasPassword: yes" in run("chargepoint", "put", "CP1", "--password-file", "secret")
    assert [_status(daemon, password) for password in (None, b"a wrong one", OLD.encode())] == [401, 401, 101]

    with _charger(daemon, OLD.encode()) as charger, ThreadPoolExecutor(1) as operator:
        rotating = operator.submit(run, "chargepoint", "rotate-password", "CP1")
        kind, message_id, action, payload = json.loads(charger.socket.recv(timeout=15))
        assert (kind, action, payload["key"]) == (2, "ChangeConfiguration", "AuthorizationKey")
        new = payload["value"]
        charger.socket.send(json.dumps([3, message_id, {"status": "Accepted"}]))
        assert rotating.result() == "CP1 has a new password\n"
    assert _status(daemon, OLD.encode()) == 101, "the old one counts until it has come with the new one"
    assert _status(daemon, bytes.fromhex(new)) == 101
    wait(lambda: [event["payload"]["change"] for event in _events(daemon, "password_changed")] == ["set", "renewed"])
    assert _status(daemon, OLD.encode()) == 401
    assert _status(daemon, new.encode()) == 101

    messages = ask(daemon, "GET", "/api/v1/chargepoints/CP1/messages?action=ChangeConfiguration")[1]["items"]
    wait(lambda: b"AuthorizationKey" in _everything(daemon))
    everything = _everything(daemon).lower()
    for secret in (new.encode(), bytes.fromhex(new), OLD.encode(), _basic("CP1", OLD.encode()).encode()):
        assert secret.lower() not in everything
    assert all(
        "(redacted)" in json.dumps(message) for message in messages if message["messageType"] == "ChangeConfiguration"
    )

    daemon.terminate()
    daemon.start()
    assert [_status(daemon, password) for password in (OLD.encode(), new.encode())] == [401, 101]
    wait(lambda: sum(event["payload"]["count"] for event in _events(daemon, "login_refused")) == 4)
    first, second, third = _events(daemon, "login_refused")
    assert (first["payload"]["reason"], first["payload"]["remoteAddress"]) == ("noPassword", "127.0.0.1")
    assert (second["payload"]["reason"], second["payload"]["count"]) == ("wrongPassword", 2), "told at the stop"
    assert third["payload"]["count"] == 1


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_station_of_2_x_is_given_its_password_as_a_variable(daemon, run, version):
    ask(daemon, "PUT", "/api/v1/chargepoints/CS1", {"password": OLD})
    with _charger(daemon, OLD.encode(), "CS1", version) as charger, ThreadPoolExecutor(1) as operator:
        rotating = operator.submit(run, "chargepoint", "rotate-password", "CS1")
        kind, message_id, action, payload = json.loads(charger.socket.recv(timeout=15))
        (item,) = payload["setVariableData"]
        new = item["attributeValue"]
        assert (kind, action, item["variable"]) == (2, "SetVariables", {"name": "BasicAuthPassword"})
        result = {"component": item["component"], "variable": item["variable"], "attributeStatus": "Accepted"}
        charger.socket.send(json.dumps([3, message_id, {"setVariableResult": [result]}]))
        assert rotating.result() == "CS1 has a new password\n"
    assert [_status(daemon, word.encode(), "CS1", version) for word in (OLD, new)] == [101, 101]
    wait(lambda: [event["payload"]["change"] for event in _events(daemon, "password_changed")] == ["set", "renewed"])
    assert [_status(daemon, word.encode(), "CS1", version) for word in (OLD, new)] == [401, 101]
    wait(lambda: "BasicAuthPassword" in daemon.get("/api/v1/chargepoints/CS1/messages")[1])
    kept = _everything(daemon) + daemon.get("/api/v1/chargepoints/CS1/variables")[1].encode()
    assert b"BasicAuthPassword" in kept
    assert new.encode() not in kept


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_simulated_charge_point_comes_back_with_its_new_password(daemon, run, tmp_path, version):
    ask(daemon, "PUT", "/api/v1/chargepoints/SIM1", {"password": OLD})
    with ThreadPoolExecutor(1) as other:
        simulated = other.submit(
            csms, "simulate", "--url", f"{daemon.url}SIM1", "--version", version, "--sessions", "2", "--duration", "240",
            "--interval", "10", "--speed", "60", "--json", "--timeout", "60", cwd=tmp_path, CSMS_SIMULATOR_PASSWORD=OLD,
        )  # fmt: skip
        wait(lambda: '"started"' in daemon.get("/api/v1/events?type=started")[1])
        assert run("chargepoint", "rotate-password", "SIM1") == "SIM1 has a new password\n"
        wait(lambda: "renewed" in [event["payload"]["change"] for event in _events(daemon, "password_changed")])
        out, _, status = simulated.result()
    assert (status, json.loads(out.splitlines()[-1])["summary"]["settled"]) == (0, 2), "nothing is lost over it"
    assert _status(daemon, OLD.encode(), "SIM1", version) == 401


# A fleet.


async def _come(daemon: Daemon, number: int, header: str) -> asyncio.StreamWriter:
    """Come as a charge point, again where that is asked for."""
    opening = request(f"/ocpp/CP{number:04}", "ocpp1.6", f"Authorization: {header}")
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
        writer.write(opening)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " in head.split(b"\r\n")[0]:
            return writer
        assert b" 503 " in head.split(b"\r\n")[0], head
        writer.close()
        await asyncio.sleep(0.2)


async def _come_all(daemon: Daemon, password: bytes) -> float:
    """Let all charge points come at once and go again; return the seconds until all were in."""
    begun = time.monotonic()
    coming = (_come(daemon, number, _basic(f"CP{number:04}", password)) for number in range(FLEET))
    sockets = await asyncio.gather(*coming)
    seconds = time.monotonic() - begun
    for writer in sockets:
        writer.transport.abort()
    return seconds


@pytest.mark.slow
def test_a_fleet_with_passwords_comes_back_at_once(daemon, tell):
    stored = make(checked(OLD))
    daemon.terminate()
    with sqlite3.connect(daemon.database) as connection:
        connection.executemany(
            "INSERT INTO charge_points (client_id, registration, allow_no_subprotocol, password_hash) VALUES (?, ?, 0, ?)",
            [(f"CP{number:04}", "Accepted", stored) for number in range(FLEET)],
        )
    daemon.start()
    seconds = []
    for _ in range(2):
        seconds.append(asyncio.run(_come_all(daemon, OLD.encode())))
        wait(lambda: daemon.metric("csms_connected_charge_points") == 0)
    cold, warm = seconds
    tell(f"{FLEET} charge points with passwords: {cold:.1f} s after a start, {warm:.1f} s when they are remembered")
    assert daemon.metric("csms_connections_total") == 2 * FLEET
    assert warm < cold
    assert "CRITICAL" not in daemon.log.read_text()
