"""Id tags as handlers ask for them: what the store knows and, of tags that are unknown there, what an authority says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from twisted.internet.defer import Deferred

from csms.handlers.request import Reads, then
from csms.ledger.authorization import TagFacts, TagInfo, TagStatus, Use, authorize


class Authority(Protocol):
    """Somebody outside who knows id tags."""

    def ask(self, id_tag: str, client_id: str) -> TagInfo | Deferred[TagInfo]:
        """Say what a tag is told that is unknown here. It never fails, and answers within a bound of time."""


class Tags:
    """Judges id tags; ``unknown`` is what one is told that nobody knows where there is no authority."""

    def __init__(self, reads: Reads, unknown: TagStatus, authority: Authority | None = None) -> None:
        self._reads = reads
        self._unknown = unknown
        self._authority = authority

    def judge(
        self, id_tag: str, client_id: str, now: datetime, running_here: Sequence[str] = (), kind: str | None = None
    ) -> TagInfo | Deferred[TagInfo]:
        """Judge a tag that starts nothing yet: for Authorize.

        ``running_here`` are the tags of what runs at the charge point, where the tag may be shown to stop it; ``kind`` is
        what kind of token the charge point says it is.
        """
        use = Use(client_id=client_id, now=now, type=kind)

        def judged(facts: TagFacts) -> TagInfo | Deferred[TagInfo]:
            return then(self.complete(facts, id_tag, client_id, now), self.verdict, use)

        return then(self._reads.tag_facts(id_tag, now, running_here), judged)

    def nobody(self) -> TagInfo:
        """Return what a token without a text is told: there is nothing to look for."""
        return TagInfo(self._unknown)

    def facts(self, id_tag: str, client_id: str, now: datetime) -> TagFacts | Deferred[TagFacts]:
        """Find out about a tag that starts or stops a transaction, here and from the authority."""
        return then(self._reads.tag_facts(id_tag, now), self.complete, id_tag, client_id, now)

    def complete(self, facts: TagFacts, id_tag: str, client_id: str, now: datetime) -> TagFacts | Deferred[TagFacts]:
        """Ask the authority about a tag that is unknown here."""
        if facts.tag is not None or self._authority is None:
            return facts
        told = self._authority.ask(id_tag, client_id)
        return told.addCallback(self._with_parent, now) if isinstance(told, Deferred) else self._with_parent(told, now)

    def _with_parent(self, told: TagInfo, now: datetime) -> TagFacts | Deferred[TagFacts]:
        """Look whether the parent that the authority names is a tag here: if it is blocked, so are its children."""
        if told.status != "Accepted" or told.parent_id_tag is None:
            return TagFacts(told=told)
        return then(self._reads.tag_facts(told.parent_id_tag, now), lambda found: TagFacts(told=told, parent=found.tag))

    def verdict(self, facts: TagFacts, use: Use) -> TagInfo:
        """Judge a tag by what is known of it."""
        return authorize(facts, use, self._unknown)
