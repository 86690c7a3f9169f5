"""``csms demo``: the whole daemon at work on real parts, without anything to set up."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from attrs import define, field

from csms.cli.db import Summary, summary
from csms.cli.processes import Child, ChildFailed, Children, accepts, free_port
from csms.cli.sightings import Sighting, Sightings
from csms.cli.table import Lines, LiveTable, save_picture

_CHARGE_POINTS = 3
_VERSIONS = "1.6,2.0.1,2.1"
_SIMULATED_S = 1800
_READING_EVERY_S = 450
_RAMP_S = 3
_START_S = 30.0
_PATIENCE_S = 30.0
_OURS = ("CSMS_", "MQTT_", "HTTP_", "NOTIFY_", "WATCHDOG_", "CREDENTIALS_")
_TARIFF = {
    "CSMS_BILLING_CURRENCY": "EUR",
    "CSMS_BILLING_ENERGY_RATE": "0.39",
    "CSMS_BILLING_TIME_RATE": "0.02",
    "CSMS_BILLING_SESSION_FEE": "0.50",
}
_TOPICS = """
Topics to subscribe to (+ is the charge point):
  csms/transactions/+/started, csms/transactions/+/meter_reading, csms/transactions/+/completed
  csms/billing/+/session_cost
  csms/connectors/+/status_changed
  csms/chargepoints/+/connected, csms/chargepoints/+/booted, csms/chargepoints/+/disconnected
  csms/state/+                        what is true now (retained)
  ocpp/messages/#, ocpp/responses/#   the raw OCPP stream

With a broker of your own: MQTT_ENABLED=true MQTT_HOST=localhost twistd -n csms
and beside it:             mosquitto_sub -v -t 'csms/#'"""


@click.command(epilog="Example: csms demo, or with a broker of your own: csms demo --broker localhost:1883")
@click.option("--broker", metavar="HOST:PORT", help="Use this MQTT broker (without a login) instead of a built-in one.")
@click.option(
    "--seconds", type=click.FloatRange(2, 600), default=20.0, show_default=True, help="How long the cars charge."
)
@click.option(
    "--save-picture",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the table of events as an SVG picture.",
)
def demo(broker: str | None, seconds: float, save_picture: Path | None) -> None:
    """Show the daemon at work on real parts.

    Starts the daemon by twistd, an MQTT broker and three simulated charge points (OCPP 1.6, 2.0.1 and 2.1) that boot,
    charge and stop; prints the business events as an independent subscriber receives them from the broker, then what is in the ledger.
    Everything runs in processes of its own on free ports of this machine, and ends with the demonstration. The exit
    status is 0 if every session was completed and all its events were seen.
    """
    address = _address(broker) if broker is not None else None
    if address is None and find_spec("amqtt") is None:
        raise click.ClickException("the built-in broker is not installed: pip install csms[demo], or give --broker")
    folder = Path(tempfile.mkdtemp(prefix="csms-demo-"))
    try:
        with _signals(), LiveTable() if sys.stdout.isatty() else Lines() as display, Children(folder) as children:
            faults = Demonstration(display, children, seconds, save_picture).run(address)
    except ChildFailed as error:
        raise click.ClickException(str(error)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if faults:
        raise click.ClickException("; ".join(faults))
    click.echo(_TOPICS)


def _address(broker: str) -> tuple[str, int]:
    host, colon, port = broker.rpartition(":")
    if not colon:
        host, port = broker, "1883"
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.ClickException(f"--broker: {broker!r}: allowed is HOST:PORT")
    return host.strip("[]"), int(port)


@contextmanager
def _signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP unwind as Ctrl-C does, so that no child is left."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@define(eq=False)
class Demonstration:
    """One run: start everything, watch, stop everything, compare."""

    _display: Lines
    _children: Children
    _seconds: float
    _picture: Path | None
    _sightings: Sightings = field(factory=lambda: Sightings(f"demo-{secrets.token_hex(4)}"))
    _events: list[Sighting] = field(factory=list)
    _subscribed: bool = False
    _sessions: list[dict[str, Any]] = field(factory=list)

    def run(self, broker: tuple[str, int] | None) -> list[str]:
        """Run it; return what went wrong.

        :raises ChildFailed: a part did not start, or ended too early.
        """
        host, port = broker or self._start_broker()
        subscriber = self._start_subscriber(host, port)
        daemon, ocpp_port = self._start_daemon(host, port, built_in=broker is None)
        simulator = self._start_simulator(ocpp_port)
        self._watch(subscriber, daemon, simulator)
        status = self._children.stop(daemon)
        ledger = summary(self._children.folder / "csms.db")
        self._read_until(lambda: len(self._sightings.event_ids) >= ledger.events, _PATIENCE_S / 3)
        lines = self._told(ledger)
        self._display.end(lines)
        if self._picture is not None:
            save_picture(self._picture, self._events, lines)
        return list(self._faults(ledger, simulator, status))

    def _start_broker(self) -> tuple[str, int]:
        port = free_port()
        self._display.say(f"broker: amqtt on 127.0.0.1:{port}")
        child = self._children.start(
            "broker", [sys.executable, "-m", "csms.cli.broker", str(port)], environment=_environment({})
        )
        self._children.wait_until(lambda: accepts("127.0.0.1", port), child, _START_S)
        return "127.0.0.1", port

    def _start_subscriber(self, host: str, port: int) -> Child:
        self._display.say(f"subscriber: paho, csms/# at {host}:{port}")
        command = [sys.executable, "-m", "csms.mqtt.client", host, str(port), "csms/#"]
        child = self._children.start("subscriber", command, environment=_environment({}), talks=True)

        def subscribed() -> bool:
            self._read(0)
            return self._subscribed

        self._children.wait_until(subscribed, child, _START_S)
        return child

    def _start_daemon(self, host: str, port: int, *, built_in: bool) -> tuple[Child, int]:
        ocpp_port, http_port = free_port(), free_port()
        self._display.say(f"daemon: twistd -n csms, charge points at ws://127.0.0.1:{ocpp_port}/ocpp/")
        settings = {
            "CSMS_GATEWAY_ID": self._sightings.gateway_id,
            "CSMS_OCPP_LISTEN": f"tcp:{ocpp_port}:interface=127.0.0.1",
            "HTTP_PORT": str(http_port),
            "MQTT_ENABLED": "true",
            "MQTT_HOST": host,
            "MQTT_PORT": str(port),
            **({"MQTT_PROTOCOL": "3.1.1"} if built_in else {}),
            **_TARIFF,
        }
        child = self._children.start(
            "daemon", [_twistd(), "--nodaemon", "--pidfile=", "csms"], environment=_environment(settings)
        )
        self._children.wait_until(lambda: _is_ready(http_port), child, _START_S)
        return child, ocpp_port

    def _start_simulator(self, port: int) -> Child:
        self._display.say(
            f"charge points: {_CHARGE_POINTS} (OCPP {_VERSIONS}), half an hour of charging in {self._seconds:.0f} seconds"
        )
        options = {
            "--url": f"ws://127.0.0.1:{port}/ocpp/",
            "--prefix": "CP",
            "--count": str(_CHARGE_POINTS),
            "--version": _VERSIONS,
            "--sessions": "1",
            "--duration": str(_SIMULATED_S),
            "--interval": str(_READING_EVERY_S),
            "--speed": str(_SIMULATED_S / self._seconds),
            "--phases": "mixed",
            "--ramp": str(min(_RAMP_S, self._seconds / 4)),
        }
        command = [sys.executable, "-m", "csms.cli.main", "simulate", "--json"]
        command += [word for option in options.items() for word in option]
        return self._children.start("simulator", command, environment=_environment({}), talks=True)

    def _read(self, timeout_s: float) -> None:
        """Take what children say."""
        for child, line in self._children.lines(timeout_s):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if child.name == "simulator":
                if "summary" not in said:
                    self._sessions.append(said)
                continue
            if not said["topic"]:
                self._subscribed = True
            # The wall clock on the reader's wall.
            seen = self._sightings.take(said["topic"], said["payload"], datetime.now().astimezone())
            if seen is not None:
                self._events.append(seen)
                self._display.event(seen)

    def _read_until(self, done: Any, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not done() and time.monotonic() < deadline:
            self._read(0.1)

    def _watch(self, subscriber: Child, daemon: Child, simulator: Child) -> None:
        """Read until the simulator has ended and all its sessions were seen, or patience ends."""

        def over() -> bool:
            for child in (subscriber, daemon):
                if child.status is not None:
                    raise ChildFailed(f"{child.name} ended with status {child.status}: {child.last_words()}")
            return simulator.status is not None and self._children.has_closed(simulator)

        self._read_until(over, self._seconds + _PATIENCE_S)
        self._read_until(lambda: self._sightings.has_seen(self._transaction_ids), _PATIENCE_S / 3)

    @property
    def _transaction_ids(self) -> set[int | None]:
        return {self._sightings.number(session["client_id"], session["transaction_id"]) for session in self._sessions}

    def _told(self, ledger: Summary) -> list[tuple[str, str]]:
        energy_kwh = ledger.energy_wh / 1000
        return [
            ("ledger", f"{ledger.completed} of {ledger.transactions} transactions completed"),
            ("energy", f"{energy_kwh:.3f} kWh"),
            ("cost", f"{ledger.cost:.2f} {ledger.currency}"),
            ("events", f"{len(self._sightings.event_ids)} of {ledger.events} received by the subscriber"),
        ]

    def _faults(self, ledger: Summary, simulator: Child, status: int) -> Iterator[str]:
        if simulator.status != 0 or len(self._sessions) != _CHARGE_POINTS:
            yield f"{len(self._sessions)} of {_CHARGE_POINTS} sessions were completed: {simulator.last_words()}"
        if self._transaction_ids != ledger.transaction_ids:
            yield "the ledger holds other transactions than the charge points had"
        if not self._sightings.has_seen(self._transaction_ids):
            yield "the subscriber did not see every session's end and cost"
        if len(self._sightings.event_ids) < ledger.events:
            yield f"{ledger.events - len(self._sightings.event_ids)} events did not arrive"
        if status:
            yield f"the daemon ended with status {status}"


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without settings of a daemon, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    if paths := kept.get("PYTHONPATH"):
        # Children run in another folder.
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep))
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def _twistd() -> str:
    beside = Path(sys.executable).with_name("twistd")
    program = str(beside) if beside.exists() else shutil.which("twistd")
    if program is None:
        raise ChildFailed("twistd is not installed beside this Python")
    return program


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:  # nosec B310
            said = json.load(answer)
    except (OSError, ValueError):
        return False
    return bool(said["ready"]) and said["mqtt"] == "connected"
