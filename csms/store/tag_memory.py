"""What was read of id tags a moment ago: a driver's tag is asked for at each step of a session, and rarely changed meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from msgspec import Struct

from csms.ledger.authorization import TagFacts, fold, is_limited

_MOST = 2048
_LONGEST_TAG = 255
STAYS_WHERE_SHARED = timedelta(seconds=5)
"""Another daemon on the same database may change a tag: it is heard of after so long."""
STAYS_WHERE_ALONE = timedelta(minutes=10)


class _Entry(Struct, frozen=True, gc=False):
    facts: TagFacts
    version: int
    read_at: datetime


class TagMemory:
    """Facts of tags without limits; those of others change with every session.

    ``version`` counts the changes of this daemon. What was read under an earlier one is not believed.
    """

    def __init__(self, stays: timedelta) -> None:
        self.version = 0
        self._stays = stays
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def changed(self) -> None:
        """A commit changed tags; called on the writer's thread."""
        self.version += 1

    def get(self, tag: str, now: datetime) -> TagFacts | None:
        """Return what is known of a tag, None where it has to be read."""
        entry = self._entries.get(fold(tag))
        if entry is None or entry.version != self.version or not entry.read_at <= now <= entry.read_at + self._stays:
            return None
        return entry.facts

    def keep(self, facts: TagFacts, tag: str, version: int, now: datetime) -> TagFacts:
        """Remember facts that were asked for at a time and under a version."""
        if len(tag) <= _LONGEST_TAG and (facts.tag is None or not is_limited(facts.tag)):
            key = fold(tag)
            self._entries.pop(key, None)
            self._entries[key] = _Entry(facts, version, now)
            if len(self._entries) > _MOST:
                self._entries.popitem(last=False)
        return facts
