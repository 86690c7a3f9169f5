"""Dynamic schedules and priority charging (OCPP 2.1, functional block K)."""

from __future__ import annotations

from typing import Any

from ocpp.charge_point import camel_to_snake_case
from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action
from twisted.internet.defer import Deferred

from csms.events.notices import DynamicSchedulePulled, PriorityChargingChanged
from csms.handlers.command_set import Learner, Payload, learner
from csms.handlers.request import Reads, Reply, Request
from csms.handlers.v2.telling import given, tell
from csms.ledger import facts
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.notices import transaction_of
from csms.ledger.state import ChargePointState
from csms.store.facts import fact

_UPDATES = "DynamicSchedule"
"""The kind of the facts that hold what an operator last sent for a profile, by its id."""


class DynamicSchedules:
    """What a station asks for in the middle of charging, and what it switched to."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @on(Action.pull_dynamic_schedule_update)
    def on_pull_dynamic_schedule_update(
        self, request: Request, charging_profile_id: int, **_members: Any
    ) -> Deferred[Reply]:
        """Answer PullDynamicScheduleUpdate (K28.FR.07, FR.12) with what an operator last sent for the profile."""
        number = int(charging_profile_id)

        def answer(update: Payload | None) -> Reply:
            status = "Accepted" if update is not None else "Rejected"
            notice = DynamicSchedulePulled(charging_profile_id=number, status=status, update=given(update))
            decision = tell(request, Action.pull_dynamic_schedule_update, lambda _draft: notice)
            payload = call_result.PullDynamicScheduleUpdate(
                status=status,
                schedule_update=None if update is None else _as_named(update),
                status_info={"reason_code": "InvalidProfile"} if update is None else None,
            )
            return Reply(payload, decision)

        client_id = request.state.charge_point.client_id
        return self._reads.read(fact, client_id, _UPDATES, str(number)).addCallback(answer)

    @on(Action.notify_priority_charging)
    def on_notify_priority_charging(
        self, request: Request, transaction_id: str, activated: Any, **_members: Any
    ) -> Reply:
        """Answer NotifyPriorityCharging (K21.FR.09)."""

        def make(draft: Draft) -> PriorityChargingChanged:
            return PriorityChargingChanged(
                station_transaction_id=transaction_id,
                activated=bool(activated),
                transaction_id=transaction_of(draft, transaction_id),
            )

        return Reply(call_result.NotifyPriorityCharging(), tell(request, Action.notify_priority_charging, make))


def update_dynamic_schedule(
    state: ChargePointState, context: Context, request: Payload, response: Payload
) -> Decision[None]:
    """Remember what was sent and taken for a profile (K28.FR.06): the station may ask for it again."""
    if response.get("status") != "Accepted":
        return Decision(None, state)
    draft = Draft(state, context)
    facts.know(draft, context, _UPDATES, str(request["chargingProfileId"]), request["scheduleUpdate"])
    return draft.decide(None)


def _as_named(update: Payload) -> Payload:
    """Return a schedule update with the names that answers are written with; a vendor's own part is not for others."""
    known = {name: value for name, value in update.items() if name != "customData"}
    members: Payload = camel_to_snake_case(known)
    return members


LEARNERS: dict[str, Learner] = {Action.update_dynamic_schedule.value: learner(update_dynamic_schedule)}
