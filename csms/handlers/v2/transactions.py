"""Transactions (OCPP 2.x, functional block E)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ocpp.routing import on
from ocpp.v21 import call_result as call_result_21
from ocpp.v201 import call_result
from ocpp.v201.enums import Action
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.handlers.request import Policy, Reads, Reply, Request, takes_payload, then
from csms.handlers.tags import Authority, Tags
from csms.handlers.v2.costs import SUPPORTED_LIMITS, may_limit_energy, total_cost, transaction_limit
from csms.handlers.v2.transaction_event import transaction_event
from csms.handlers.v2.values import Token, id_token_info
from csms.ledger import evses, readings, trail, transaction_events
from csms.ledger.authorization import TagFacts, TagInfo, Use
from csms.ledger.decision import Decision
from csms.ledger.event_facts import TransactionEvent
from csms.ledger.readings import NOTHING_KNOWN, Known
from csms.ledger.state import Transaction
from csms.ledger.transaction_events import Taken
from csms.store import queries
from csms.store.variables import known_variables

_log = Logger()
_Found = tuple[Transaction | None, Known]
_Told = TagInfo | TagFacts | None
"""What is known of a token: the verdict, or what it is made of once its transaction has begun; None: there is none."""


class Transactions:
    """TransactionEvent."""

    def __init__(
        self, reads: Reads, policy: Policy, authority: Authority | None = None, *, is_21: bool = False
    ) -> None:
        self._reads = reads
        self._policy = policy
        self._tags = Tags(reads, policy.unknown_tags, authority)
        self._is_21 = is_21

    @on(Action.transaction_event)
    @takes_payload
    def on_transaction_event(self, request: Request) -> Reply | Deferred[Reply]:
        """Answer TransactionEvent (E01 to E16), whatever became of the events before it.

        A transaction is stored whatever its token: where it began offline, the energy flows. The answer tells the token's
        true status.
        """
        event, shown = transaction_event(request)
        running = evses.running_under(request.state, event.station_transaction_id)
        if running is not None:
            request.deviations.extend(trail.deviations(running.trail, event.seq_no))

        def with_token(told: _Told, found: _Found) -> Reply | Deferred[Reply]:
            return then(self._takes_limit(request, told), with_all, told, found)

        def with_all(takes_limit: bool, told: _Told, found: _Found) -> Reply | Deferred[Reply]:  # noqa: FBT001
            transaction = found[0] if transaction_events.is_of(event, found[0]) else None
            known = found[1]
            new_id = self._reads.new_transaction_id() if transaction is None else transaction.transaction_id

            def answer(transaction_id: int) -> Reply:
                decision = transaction_events.take(
                    request.state,
                    request.context,
                    event,
                    found=transaction,
                    transaction_id=transaction_id,
                    known=known,
                    tariff=self._policy.tariff,
                    body=request.payload,
                )
                _tell(request, event, decision.answer)
                return self._reply(request, event, shown, told, decision, takes_limit=takes_limit)

            return then(new_id, answer)

        def with_context(found: _Found) -> Reply | Deferred[Reply]:
            return then(self._ask(request, event, shown), with_token, found)

        return then(self._context(request, event, running), with_context)

    def _context(
        self, request: Request, event: TransactionEvent, running: Transaction | None
    ) -> _Found | Deferred[_Found]:
        """Find out what an event has to know: its transaction where it does not run, and readings that came before."""
        state, values = request.state, event.readings
        client_id, times = state.charge_point.client_id, [value.instant.at for value in values]
        if running is None:
            if event.kind == "Started" and event.instant.at > state.latest_start and not event.instant.suspect:
                return None, NOTHING_KNOWN
            return self._reads.read(queries.station_transaction, client_id, event.station_transaction_id, times)
        is_behind = running.trail is not None and event.seq_no <= running.trail.highest
        if values and (is_behind or readings.may_be_known(state, running.connector_id, values)):
            return self._reads.read(queries.known_readings, client_id, times).addCallback(
                lambda known: (running, known)
            )
        return running, NOTHING_KNOWN

    def _ask(self, request: Request, event: TransactionEvent, shown: Token | None) -> _Told | Deferred[_Told]:
        """Find out about the token: one that stops is judged as it is shown, one that starts by what it has started."""
        if shown is None:
            return None
        if shown.needs_no_authorization:
            return TagInfo("Accepted")
        if shown.is_nobody:
            return self._tags.nobody()
        client_id, now = request.state.charge_point.client_id, request.context.now
        if event.stops:
            running: Sequence[str] = [transaction.id_tag for transaction in request.state.running.values()]
            return cast(_Told | Deferred[_Told], self._tags.judge(shown.id_tag, client_id, now, running, shown.type))
        return cast(_Told | Deferred[_Told], self._tags.facts(shown.id_tag, client_id, now))

    def _takes_limit(self, request: Request, told: _Told) -> bool | Deferred[bool]:
        """Find out whether the station may be told a limit of energy: not where it has said that it keeps none (E16.FR.12)."""
        if not self._is_21 or not isinstance(told, TagFacts) or told.tag is None or told.tag.budget_kwh is None:
            return False
        client_id = request.state.charge_point.client_id
        return self._reads.read(known_variables, client_id, [SUPPORTED_LIMITS.key]).addCallback(may_limit_energy)

    def _reply(
        self,
        request: Request,
        event: TransactionEvent,
        shown: Token | None,
        told: _Told,
        decision: Decision[Taken],
        *,
        takes_limit: bool,
    ) -> Reply:
        taken, now = decision.answer, request.context.now
        limit = None
        if isinstance(told, TagFacts):
            use = Use(
                client_id=request.state.charge_point.client_id,
                now=now,
                type=shown.type if shown is not None else None,
                starts=taken.transaction,
                is_repetition=taken.arrival != "in order",
                beside=tuple(decision.state.running.values()),
            )
            facts, told = told, self._tags.verdict(told, use)
            limit = transaction_limit(told, facts, taken.transaction) if takes_limit else None
        info = id_token_info(told, shown, now, is_21=self._is_21) if told is not None else None
        cost = total_cost(decision.state, self._policy, taken.transaction, now)
        if taken.transaction.status != "active" and event.kind != "Ended":
            cost = None
        if limit is not None:
            return Reply(
                call_result_21.TransactionEvent(id_token_info=info, total_cost=cost, transaction_limit=limit),
                decision,
            )
        return Reply(call_result.TransactionEvent(id_token_info=info, total_cost=cost), decision)


def _tell(request: Request, event: TransactionEvent, taken: Taken) -> None:
    """Say in the log what is not as it should be."""
    told, notes = taken.transaction.trail, []
    if taken.is_new and event.kind != "Started":
        notes.append("its Started did not come")
    if taken.is_after_end and taken.arrival != "again":
        notes.append("an event came after its Ended")
    if event.kind == "Ended" and told is not None and told.missing:
        notes.append(f"of its events {trail.missing_text(told)} did not come")
    for note in notes:
        _log.warn(
            "{client_id}: transaction {transaction_id}: {note}",
            client_id=request.state.charge_point.client_id,
            transaction_id=taken.transaction.transaction_id,
            note=note,
        )
