"""The version of a charge point's local authorization list, learnt from its answers (OCPP 1.6 §5.10, §5.15; 2.x D01, D02)."""

from __future__ import annotations

from msgspec.structs import replace

from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState

_LARGEST = 2**63 - 1


def learn(state: ChargePointState, context: Context, version: object) -> Decision[None]:
    """Take a version that a charge point told, or has accepted; -1 is that it has no list (1.6), 0 that the list is empty."""
    if isinstance(version, bool) or not isinstance(version, int) or not -1 <= version <= _LARGEST:
        return Decision(None, state)
    charge_point = replace(state.charge_point, local_list_version=version, local_list_seen_at=context.now)
    draft = Draft(replace(state, charge_point=charge_point), context)
    draft.change(charge_point)
    return draft.decide(None)
