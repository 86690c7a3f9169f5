"""``csms simulate``: charge points that are not there, for demonstrations, tests and load."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

import click
from attrs import asdict
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from csms.simulator.behaviour import REASONS, Behaviour
from csms.simulator.client import tls_options
from csms.simulator.fleet import Fleet, Phases, Statistics
from csms.simulator.languages import VERSIONS, versions
from csms.simulator.sessions import SessionRecord

_MOST_ROWS = 25
"""With more charge points than that the table shows totals only."""


@click.command(
    epilog="Example: csms simulate --url ws://localhost:9000/ocpp/ --count 20 --duration 1800 --speed 120 --phases mixed"
)
@click.option(
    "--url", required=True, help="ws://host:port/ocpp/ (identities are made up) or a complete URL with the identity."
)
@click.option(
    "--version",
    "version_names",
    default="1.6",
    show_default=True,
    metavar="VERSION[,VERSION…]",
    help=f"OCPP version: {', '.join(VERSIONS)}; several are dealt out in turn.",
)
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many charge points.")
@click.option("--prefix", default="SIM", show_default=True, help="Identities are PREFIX0001, PREFIX0002, …")
@click.option("--sessions", type=click.IntRange(0), default=1, show_default=True, help="Sessions of each charge point.")
@click.option("--duration", type=float, default=3600.0, show_default=True, help="Simulated seconds of each session.")
@click.option("--interval", type=float, default=60.0, show_default=True, help="Simulated seconds between meter values.")
@click.option("--speed", type=float, default=60.0, show_default=True, help="Simulated seconds per second, 1 or more.")
@click.option("--phases", type=click.Choice(["1", "3", "mixed"]), default="3", show_default=True)
@click.option(
    "--reason",
    type=click.Choice([*dict.fromkeys(reason for words in REASONS.values() for reason in words), "random"]),
    default="Local",
    show_default=True,
    metavar="REASON|random",
    help="Why sessions stop, a word of the OCPP version.",
)
@click.option("--id-tag", default="TAG{n}", show_default=True, help="{n} becomes the number of the charge point.")
@click.option(
    "--connectors",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Connectors of each (EVSEs in OCPP 2.x); sessions rotate.",
)
@click.option(
    "--meter-start", type=click.IntRange(0), default=1000, show_default=True, help="The register at the start (Wh)."
)
@click.option("--signed", is_flag=True, help="Sign the readings of start and end (OCPP 2.x).")
@click.option("--password", envvar="CSMS_SIMULATOR_PASSWORD", show_envvar=True, help="For Basic authentication.")
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM file to check a wss server with."
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file with the client certificate of the charge point (security profile 3).",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file with the key of --certificate.",
)
@click.option("--seed", type=int, help="Makes every choice the same in each run.")
@click.option(
    "--ramp",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds over which the charge points start.",
)
@click.option(
    "--offline-after", type=click.FloatRange(0), help="Lose the uplink that many simulated seconds into a session."
)
@click.option(
    "--offline-for",
    type=click.FloatRange(0),
    default=600.0,
    show_default=True,
    help="Simulated seconds without uplink.",
)
@click.option("--keep", is_flag=True, help="Stay connected afterwards, until interrupted.")
@click.option(
    "--patience", type=float, default=15.0, show_default=True, help="Seconds to try a server that was never reached."
)
@click.option("--timeout", type=float, help="Seconds after which all is over, whatever has been reached.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object for each session, and a summary as the last line."
)
def simulate(**options: Any) -> None:
    """Simulate charge points (OCPP 1.6, 2.0.1 and 2.1): boot, authorise, charge, send meter values, stop.

    Time stamps are simulated: they start in the past, so that the last session ends about now. The exit status is 0
    when every session ended and the server answered every message about it, 1 otherwise.
    """
    from twisted.internet import reactor

    display: _Display = _Json() if options["as_json"] else _Table() if sys.stdout.isatty() else _Lines()
    try:
        fleet = _fleet(cast(IReactorTime, reactor), options, display)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    statistics = _run(reactor, fleet, display, options["timeout"], keep=options["keep"])
    display.end(statistics)
    if not statistics.perfect:
        for problem in fleet.problems or ["not every session ended with all its messages answered"]:
            click.echo(f"Error: {problem}", err=True)
        sys.exit(1)


def _fleet(reactor: IReactorTime, options: dict[str, Any], display: _Display) -> Fleet:
    spoken = versions(options["version_names"])
    behaviour = Behaviour(
        version=spoken[0],
        sessions=options["sessions"],
        duration_s=options["duration"],
        interval_s=options["interval"],
        speed=options["speed"],
        connectors=options["connectors"],
        id_tag=options["id_tag"],
        meter_start_wh=options["meter_start"],
        reason=None if options["reason"] == "random" else options["reason"],
        signed_readings=options["signed"],
        offline_after_s=options["offline_after"],
        offline_for_s=options["offline_for"],
        keep=options["keep"],
        patience_s=options["patience"],
    )
    phases: Phases = {"1": 1, "3": 3, "mixed": "mixed"}[options["phases"]]  # type: ignore[assignment]
    return Fleet(
        reactor,
        options["url"],
        options["count"],
        behaviour,
        wall_clock=lambda: datetime.now(UTC),
        prefix=options["prefix"],
        versions=spoken,
        phases=phases,
        password=options["password"],
        tls=tls_options(options["url"], options["ca"], options["certificate"], options["key"]),
        seed=options["seed"],
        ramp_s=options["ramp"],
        on_session=display.session,
    )


def _run(reactor: Any, fleet: Fleet, display: _Display, timeout_s: float | None, *, keep: bool) -> Statistics:
    """Run the fleet until it is done, interrupted, or out of time; return what it did before it was hung up."""
    outcome: list[Statistics] = []

    def hang_up() -> Deferred[None]:
        outcome.append(fleet.statistics())
        return fleet.stop()

    def done(_: None) -> None:
        # With --keep only an interrupt ends it - unless there is nobody left who could be kept.
        if not outcome and reactor.running and (not keep or fleet.statistics().failed == len(fleet.charge_points)):
            reactor.stop()

    def begin() -> None:
        refresh.start(display.interval_s, now=False)
        fleet.start()
        fleet.when_done().addCallback(done)

    refresh = LoopingCall(lambda: display.refresh(fleet))
    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", hang_up)
    if timeout_s is not None:
        reactor.callLater(timeout_s, reactor.stop)
    with display:
        reactor.run()
    return outcome[0]


class _Display:
    """Shows what goes on; this one shows nothing but is a context for the others."""

    interval_s = 5.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def session(self, session: SessionRecord) -> None:
        """Show a session that is over."""

    def refresh(self, fleet: Fleet) -> None:
        """Show how it stands."""

    def end(self, statistics: Statistics) -> None:
        """Show the summary."""


class _Json(_Display):
    def session(self, session: SessionRecord) -> None:
        print(json.dumps(session.as_dict()), flush=True)

    def end(self, statistics: Statistics) -> None:
        print(json.dumps({"summary": asdict(statistics)}), flush=True)


class _Lines(_Display):
    def session(self, session: SessionRecord) -> None:
        print(
            f"{session.client_id} connector {session.connector_id}: transaction {session.transaction_id} ended "
            f"({session.reason}), {session.energy_wh / 1000:.3f} kWh, {session.meter_values} meter values",
            flush=True,
        )

    def refresh(self, fleet: Fleet) -> None:
        print(_summary(fleet.statistics()), *fleet.problems[:1], sep="; ", flush=True)

    def end(self, statistics: Statistics) -> None:
        print(_summary(statistics), flush=True)


class _Table(_Display):
    interval_s = 0.25

    def __init__(self) -> None:
        self._live = Live(Table(), console=Console(), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def refresh(self, fleet: Fleet) -> None:
        statistics = fleet.statistics()
        table = Table(caption=_summary(statistics), caption_justify="left")
        if len(fleet.charge_points) <= _MOST_ROWS:
            for heading in ("charge point", "OCPP", "state", "sessions", "kWh", "queued", ""):
                table.add_column(heading)
            for point in fleet.charge_points:
                table.add_row(
                    Text(point.client_id),
                    point.version.name,
                    point.state,
                    str(len(point.sessions)),
                    f"{point.energy_wh / 1000:.3f}",
                    str(len(point.queue)),
                    Text(point.problem or ""),
                )
        else:
            for heading, count in asdict(statistics).items():
                table.add_row(heading.replace("_", " "), str(count))
        self._live.update(table, refresh=True)

    def end(self, statistics: Statistics) -> None:
        print(_summary(statistics))


def _summary(statistics: Statistics) -> str:
    text = (
        f"{statistics.online} of {statistics.charge_points} online, {statistics.charging} charging, "
        f"{statistics.settled} of {statistics.sessions} sessions ended and answered, "
        f"{statistics.energy_wh / 1000:.3f} kWh, {statistics.calls} messages"
    )
    for name in ("queued", "dropped", "refused", "errors", "timeouts", "failed", "unfinished"):
        if count := getattr(statistics, name):
            text += f", {count} {name}"
    return text
