"""From a TransactionEvent as it is on the wire to the ledger's (OCPP 2.x, part 2 §1.60)."""

from __future__ import annotations

from typing import Any, cast

from ocpp.exceptions import PropertyConstraintViolationError

from csms.handlers.request import Request
from csms.handlers.v2.meter_values import meter_values
from csms.handlers.v2.values import Token, evse, whole
from csms.handlers.wire import instant
from csms.ledger.event_facts import EventKind, TransactionEvent
from csms.ledger.trail import LARGEST_SEQ_NO

_KINDS = frozenset({"Started", "Updated", "Ended"})
_LONGEST_ID = 255


def transaction_event(request: Request) -> tuple[TransactionEvent, Token | None]:
    """Read a TransactionEvent; the token is that of the event, where it shows one.

    :raises PropertyConstraintViolationError: it says neither what it is nor which transaction's.
    """
    payload = request.payload
    info: dict[str, Any] = payload["transactionInfo"]
    kind, station_id = payload["eventType"], str(info["transactionId"])
    if kind not in _KINDS:
        raise PropertyConstraintViolationError(f"eventType: {str(kind)[:30]!r} is not allowed")
    if not 0 < len(station_id) <= _LONGEST_ID:
        raise PropertyConstraintViolationError(f"transactionId: allowed are 1 to {_LONGEST_ID} characters")
    shown = payload.get("idToken")
    token = Token(str(shown["idToken"]), str(shown["type"])) if shown is not None else None
    is_tag = token is not None and not (token.is_nobody or token.needs_no_authorization)
    evse_id, connector_id = evse(request, payload.get("evse"))
    event = TransactionEvent(
        kind=cast(EventKind, kind),
        station_transaction_id=station_id,
        seq_no=_seq_no(request, payload["seqNo"]),
        instant=instant(request, str(payload["timestamp"])),
        trigger_reason=str(payload["triggerReason"]),
        is_offline=bool(payload.get("offline", False)),
        evse_id=evse_id,
        station_connector_id=connector_id,
        shows_token=token is not None,
        id_tag=token.id_tag if token is not None and is_tag else None,
        tag_type=token.type if token is not None and is_tag else None,
        charging_state=info.get("chargingState"),
        stopped_reason=info.get("stoppedReason"),
        remote_start_id=whole(info.get("remoteStartId")),
        reservation_id=whole(payload.get("reservationId")),
        phases_used=whole(payload.get("numberOfPhasesUsed")),
        cable_max_current=whole(payload.get("cableMaxCurrent")),
        readings=meter_values(request, payload.get("meterValue") or ()),
    )
    return event, token


def _seq_no(request: Request, value: float) -> int:
    if 0 <= value <= LARGEST_SEQ_NO:
        return int(value)
    request.deviations.append(f"seqNo: {str(value)[:30]} is not allowed, 0 stands in")
    return 0
