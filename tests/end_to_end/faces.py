"""The three faces of a command, HTTP, MQTT and the command line, and what each says became of it in the same words."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import urlencode

import pytest
from attrs import frozen

from csms.cli.main import main
from tests.cli.command import csms
from tests.end_to_end.backend import Backend
from tests.end_to_end.commanded import Commanded, Reaction
from tests.end_to_end.daemon import Daemon, ForkedDaemon, ask, wait_held
from tests.mosquitto import Mosquitto


@frozen
class Outcome:
    """``word`` is that of results over MQTT; ``said`` is the response, or ``code: description`` of a CALLERROR."""

    word: str
    said: object = None


Send = Callable[[str, str, dict, float], Outcome]
"""Sends (client id, action, payload, timeout in seconds)."""


def over_http(daemon: Daemon) -> Send:
    def send(client_id: str, action: str, payload: dict, timeout_s: float) -> Outcome:
        path = f"/api/v1/chargepoints/{client_id}/commands/{action}?{urlencode({'timeout': timeout_s})}"
        status, body = ask(daemon, "POST", path, payload)
        if status == 200:
            return Outcome("ok", body["response"])
        word = body["outcome"]
        return Outcome(word, f"{body['errorCode']}: {body['errorDescription']}" if word == "CallError" else None)

    return send


def over_mqtt(backend: Backend) -> Send:
    def send(client_id: str, action: str, payload: dict, timeout_s: float) -> Outcome:
        request = {"requestId": str(uuid.uuid4()), "payload": payload, "timeout": timeout_s}
        backend.send(f"csms/commands/{client_id}/{action}", request)
        result = backend.result_of(request["requestId"])
        word, error = result["status"], result.get("error", {})
        if word == "ok":
            return Outcome(word, result["response"])
        return Outcome(word, f"{error['code']}: {error['description']}" if word == "CallError" else None)

    return send


_PHRASES = {
    (3, "nothing was sent"): "NotConnected",
    (4, "did not answer in time"): "Timeout",
    (4, "the connection was lost before the answer"): "ConnectionLost",
    (6, "no such action"): "UnknownAction",
    (6, "no such charge point"): "UnknownChargePoint",
    (7, "type: "): "BadPayload",
}
_ANSWERED = "csms: the charge point answered "


def _read(out: str, errors: list[str], status: int) -> Outcome:
    """Return what a user of the command line takes from output, errors and exit status."""
    if status == 0:
        return Outcome("ok", json.loads(out))
    (line,) = errors
    if status == 5:
        assert line.startswith(_ANSWERED)
        return Outcome("CallError", line.removeprefix(_ANSWERED))
    (word,) = [word for (number, phrase), word in _PHRASES.items() if number == status and phrase in line]
    return Outcome(word)


def by_command_line(daemon: Daemon) -> Send:
    """The command line inside this process, which is quicker than one of its own; one thread at a time."""

    def send(client_id: str, action: str, payload: dict, timeout_s: float) -> Outcome:
        arguments = ["--url", f"http://127.0.0.1:{daemon.http_port}", "send", client_id, action, json.dumps(payload)]
        out, err = io.StringIO(), io.StringIO()
        status = -1
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main([*arguments, "--timeout", str(timeout_s)])
            except SystemExit as ended:
                status = int(ended.code or 0)
        return _read(out.getvalue(), err.getvalue().splitlines(), status)

    return send


def by_process(daemon: Daemon, folder: Path) -> Send:
    """The command line as users run it."""

    def send(client_id: str, action: str, payload: dict, timeout_s: float) -> Outcome:
        url = f"http://127.0.0.1:{daemon.http_port}"
        arguments = ["send", client_id, action, json.dumps(payload), "--timeout", timeout_s]
        return _read(*csms(*arguments, cwd=folder, CSMS_URL=url))

    return send


class Faces:
    """Each face with a charge point of its own; all do the same at the same time."""

    def __init__(self, daemon: Daemon, sends: dict[str, Send], version: str = "1.6") -> None:
        self.daemon = daemon
        self._sends = sends
        self.stations = {face: Commanded(daemon.url, f"CP-{version}-{face}", version) for face in sends}
        self._pool = ThreadPoolExecutor(len(sends))
        wait_held(daemon, len(sends))

    def send(
        self,
        reaction: Reaction,
        action: str,
        payload: dict,
        *,
        timeout_s: float = 10.0,
        by: dict[str, Send] | None = None,
    ) -> dict[str, Outcome]:
        """Send a command from each face to charge points that react so; return the outcome of each."""
        for station in self.stations.values():
            station.reaction = reaction
        sends = self._sends | (by or {})
        running = {
            face: self._pool.submit(send, self.stations[face].client_id, action, payload, timeout_s)
            for face, send in sends.items()
        }
        return {face: future.result(30) for face, future in running.items()}

    def all(self, outcome: Outcome) -> dict[str, Outcome]:
        """Return that the outcome is the same on each face."""
        return dict.fromkeys(self._sends, outcome)

    def last_calls(self) -> Iterable[str]:
        """Return what each charge point got last, without the message id."""
        for station in self.stations.values():
            kind, _, action, payload = json.loads(station.calls[-1])
            yield json.dumps([kind, action, payload])

    def settle(self) -> None:
        """Wait until all charge points are back."""
        for station in self.stations.values():
            assert station.is_back.wait(10)
        wait_held(self.daemon, len(self._sends))

    def close(self) -> None:
        self._pool.shutdown()
        for station in self.stations.values():
            station.close()


@contextmanager
def commanding(folder: Path, version: str = "1.6") -> Iterator[Faces]:
    """A daemon with a broker, and all faces with their charge points."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Mosquitto(folder / "mosquitto") as broker,
        Backend(broker.port) as backend,
    ):
        for name in os.environ:
            if name.startswith("CSMS_"):
                patch.delenv(name)
        settings = {"MQTT_ENABLED": "true", "MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(broker.port)}
        with ForkedDaemon(folder / "daemon", **settings) as daemon:
            sends = {"http": over_http(daemon), "mqtt": over_mqtt(backend), "cli": by_command_line(daemon)}
            faces = Faces(daemon, sends, version)
            yield faces
            faces.close()
