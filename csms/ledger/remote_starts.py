"""Whose the remote starts are that a station accepted (OCPP 2.x F01): not every station shows the token in its events."""

from __future__ import annotations

from msgspec.structs import replace

from csms.ledger import facts
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState

REMOTE_STARTS = "RemoteStarts"
_MOST = 32


def accepted(state: ChargePointState, context: Context, remote_start_id: int, id_tag: str) -> Decision[None]:
    """Remember the id tag of a remote start; only the latest few are kept."""
    draft = Draft(state, context)
    others = {key: value for key, value in state.remote_starts.items() if key != remote_start_id}
    starts = dict([*others.items(), (remote_start_id, id_tag)][-_MOST:])
    draft.state = replace(state, remote_starts=starts)
    facts.know(draft, context, REMOTE_STARTS, "", {str(key): value for key, value in starts.items()})
    return draft.decide(None)
