"""Which command topics this daemon is subscribed to: exactly those of the charge points that it holds.

The reactor's thread says whom it holds, the MQTT client's thread subscribes: many at a time, one packet under way, and a
moment between two that are not full. So a fleet that comes back at once costs a few packets, and one charge point alone does
not wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from csms.events import topics
from csms.mqtt.feed import IDLE_S, Link

_log = Logger()
_BATCH = 200
_SECONDS_BETWEEN_PACKETS = 0.1
_FIRST_FAILURE = 0x80


@define(eq=False)
class Subscriptions:
    """Wanted and standing subscriptions. ``hold`` and ``release`` are the reactor's side, the rest the MQTT client's."""

    _monotonic: Callable[[], float]
    _wanted: dict[str, str] = field(factory=dict)
    """Topic level to the charge point that it names: written by the reactor's thread, a key at a time."""
    _changed: deque[str] = field(factory=deque)
    _standing: set[str] = field(factory=set)
    """Levels that the broker was asked for on this connection, and not asked to forget."""
    _under_way: int | None = None
    _asked: tuple[str, ...] = ()
    """The levels of the SUBSCRIBE that is under way."""
    _put_off: list[str] = field(factory=list)
    _sent_at: float | None = None

    def hold(self, client_id: str) -> None:
        """A charge point's session is here."""
        level = topics.level(client_id)
        self._wanted[level] = client_id
        self._changed.append(level)

    def release(self, client_id: str) -> None:
        """It is gone."""
        level = topics.level(client_id)
        if self._wanted.pop(level, None) is not None:
            self._changed.append(level)

    def holder(self, level: str) -> str | None:
        """Return the charge point that a topic level names, if it is held here; for either thread."""
        return self._wanted.get(level)

    def begin(self) -> None:
        """A clean connection stands: nothing is subscribed to."""
        self.end()
        self._changed.clear()
        # A level that is added meanwhile is in either of the two; `list` of a dict of texts is one step for all threads.
        self._changed.extend(list(self._wanted))

    def end(self) -> None:
        """The connection is gone."""
        self._standing.clear()
        self._put_off.clear()
        self._under_way = None
        self._asked = ()
        self._sent_at = None

    def pump(self, link: Link) -> float:
        """Send the next packet, if it is its time; return after how many seconds to be asked again."""
        if not (self._changed or self._put_off) or self._under_way is not None or not link.writable:
            return IDLE_S
        now = self._monotonic()
        is_little = len(self._changed) + len(self._put_off) < _BATCH
        if is_little and self._sent_at is not None and now - self._sent_at < _SECONDS_BETWEEN_PACKETS:
            return self._sent_at + _SECONDS_BETWEEN_PACKETS - now
        self._take_changes()
        gone = [level for level in self._put_off if level not in self._wanted]
        levels = gone or self._put_off
        batch, rest = levels[:_BATCH], levels[_BATCH:]
        if not batch:
            return IDLE_S
        filters = [topics.commands(level) for level in batch]
        if gone:
            self._put_off = rest + [level for level in self._put_off if level in self._wanted]
            self._standing.difference_update(batch)
            self._under_way = link.unsubscribe(filters)
        else:
            self._put_off = rest
            self._standing.update(batch)
            self._asked = tuple(batch)
            self._under_way = link.subscribe(filters)
        self._sent_at = now
        return IDLE_S

    def _take_changes(self) -> None:
        """Keep what has to be asked of the broker: who came and went again meanwhile costs nothing."""
        levels = dict.fromkeys(self._put_off)
        while self._changed:
            levels[self._changed.popleft()] = None
        self._put_off = [level for level in levels if (level in self._wanted) != (level in self._standing)]

    def answered(self, packet_id: int, reasons: bytes) -> None:
        """SUBACK or UNSUBACK: the next packet may go."""
        if packet_id != self._under_way:
            return
        self._under_way = None
        asked, self._asked = self._asked, ()
        refused = [(level, reason) for level, reason in zip(asked, reasons, strict=False) if reason >= _FIRST_FAILURE]
        if refused:
            # They stay asked for: the next connection tries again.
            _log.warn(
                "the MQTT broker refuses {count} subscriptions to commands, the first for {topic_level} with 0x{reason:02x}",
                count=len(refused),
                topic_level=refused[0][0],
                reason=refused[0][1],
            )

    @property
    def standing(self) -> int:
        """How many charge points' commands the broker was asked for and has answered about."""
        return len(self._standing) - len(self._asked)
