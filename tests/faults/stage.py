"""Where a fault is played: broker, daemon, subscriber and chargers, each a real one, and what is counted at the end."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from attrs import define, field

from tests.end_to_end.accounts import Ledger, check_sessions, check_subscriber
from tests.end_to_end.conftest import TARIFF
from tests.end_to_end.daemon import Daemon
from tests.end_to_end.subscriber import Subscriber
from tests.faults.chargers import BUSY, Chargers
from tests.mosquitto import UNBOUNDED, Mosquitto

_POLL_S = 0.02
_PUBLISHED = "csms_business_events_published_total"
_WELL_S = 180.0
LONGEST_S = 600
"""How long a row may take, from its start or from the last time that it was given time."""


class CannotRun(Exception):
    """This machine does not let the fault be made; the message says what is missing."""


@define
class Outcome:
    """A row of the table."""

    seen: str
    lost: int
    well_s: float
    sessions: int
    remark: str = ""


def pause(seconds: float) -> None:
    """Let the load run: the time itself is what a row is about."""
    time.sleep(seconds)


def wait(
    condition: Callable[[], object], what: str, timeout_s: float = _WELL_S, tell: Callable[[], object] = lambda: ""
) -> float:
    """Wait until something holds that nobody tells of; return how long it took.

    :raises AssertionError: it did not come; with what was waited for.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"after {timeout_s:.0f} s still not: {what} {tell()}"
        time.sleep(_POLL_S)
    return time.monotonic() - began


def give_time() -> None:
    """Let the row go on for a while: something still comes."""
    signal.alarm(LONGEST_S)


@define(eq=False)
class Stage:
    """Chargers that run sessions all the time, at a daemon with a broker; a context manager that ends them all.

    Where many events wait at once, `durable_broker` is False: a broker that survives a kill would be what is measured.
    """

    folder: Path
    count: int = 12
    settings: dict[str, str] = field(factory=dict)
    database: str | None = None
    proxy_port: int | None = None
    durable_broker: bool = True
    broker: Mosquitto = field(init=False)
    daemon: Daemon = field(init=False)
    subscriber: Subscriber = field(init=False)
    chargers: Chargers = field(init=False)
    seed: int = field(init=False)
    _stack: ExitStack = field(init=False, factory=ExitStack)

    def __attrs_post_init__(self) -> None:
        self.seed = random.SystemRandom().randrange(1, 2**31)
        self.broker = Mosquitto(
            self.folder / "broker", durable=self.durable_broker, settings="" if self.durable_broker else UNBOUNDED
        )
        self.daemon = Daemon(
            self.folder / "daemon",
            MQTT_ENABLED="true",
            MQTT_HOST="127.0.0.1",
            MQTT_PORT=str(self.proxy_port or self.broker.port),
            **TARIFF,
            **({"CSMS_DATABASE_URL": self.database} if self.database else {}),
            **self.settings,
        )

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.daemon.database}"

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self.broker)
            self.subscriber = self._stack.enter_context(Subscriber(self.broker.port, "csms/#"))
            # Its end first: a row that takes too long may be interrupted while the daemon starts.
            self._stack.push(self.daemon.__exit__)
            self.daemon.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "chargers"):
            self.chargers.stop()
        self._stack.close()

    def load(self, seconds: float = 1.5, url: str | None = None, **options: Any) -> Self:
        """Start the chargers; return when all are online and sessions have run for a while."""
        self.chargers = Chargers(url or self.daemon.url, self.count, BUSY, self.seed, **options)
        self.chargers.start()
        wait(lambda: self.chargers.all_online, "all chargers online", tell=self._state)
        pause(seconds)
        self.chargers.mark()
        return self

    def is_well(self) -> bool:
        """Whether everybody is online, the ledger can be written and the broker is there."""
        return (
            self.chargers.all_online
            and self.daemon.get("/ready")[0] == 200
            and self.daemon.metric("csms_mqtt_connected") == 1
        )

    def until_well(self) -> float:
        """Wait until all is well and events go out again; return how long it took."""
        took_s = wait(self.is_well, "all chargers online, /ready and the broker connected", tell=self._state)
        published = self.daemon.metric(_PUBLISHED)
        return took_s + wait(lambda: self.daemon.metric(_PUBLISHED) > published, "events published", tell=self._state)

    def _state(self) -> str:
        return (
            f"{self.chargers.statistics().online} of {self.count} online {self.chargers.problems[:1]}, "
            f"{self.daemon.get('/ready')}, backlog {self.daemon.metric('csms_relay_backlog'):.0f}"
        )

    def undisturbed(self) -> None:
        """What happened must not have been noticed by any charger."""
        seen = self.chargers.seen()
        assert not any(seen.values()), f"chargers noticed: {seen}"

    def outcome(self, well_s: float, remark: str = "") -> Outcome:
        """Let the chargers finish, and hold what they know against the ledger, and that against what was published."""
        seen = ", ".join(f"{count} {name}" for name, count in self.chargers.seen().items() if count) or "nothing"
        self.chargers.finish()
        give_time()
        ledger = Ledger(self.database_url, [point.client_id for point in self.chargers.fleet.charge_points])
        wanted = {event["eventId"] for event in ledger.events}
        began = time.monotonic()
        missing = self.subscriber.wait_for_events(wanted)
        drained_s = time.monotonic() - began
        lost = self._lost(ledger) + len(missing)
        sessions = len(self.chargers.fleet.sessions)
        if not lost:
            check_sessions(self.chargers.fleet, ledger)
            check_subscriber(self.subscriber, wanted)
        late = f"events all seen {drained_s:.0f} s after the last session" if drained_s >= 1 and not lost else ""
        return Outcome(seen, lost, well_s, sessions, "; ".join(filter(None, (remark, late))))

    def _lost(self, ledger: Ledger) -> int:
        completed = ledger.originals("completed")
        answered = [record for record in self.chargers.fleet.sessions if record.stop_answered]
        return sum(completed[ledger.number(record)] == 0 for record in answered)
