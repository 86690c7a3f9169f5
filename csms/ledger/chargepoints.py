"""The life of a charge point: connected, booted, disconnected; and messages that are only kept."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from csms.events import topics
from csms.events.business import (
    Booted,
    Connected,
    DiagnosticsStatus,
    Disconnected,
    FirmwareStatus,
    LoginRefused,
    SecurityEvent,
)
from csms.ledger.clock import Instant
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import NOTHING_ASKED, ChargePointState, Record, Registration
from csms.ocppj.versions import V16


def connect(state: ChargePointState, context: Context, *, version: str, remote_address: str | None) -> Decision[None]:
    """A socket is open. Where an unclean end left an earlier one standing, that one is told to be gone first."""
    draft = Draft(state, context)
    if state.charge_point.is_online:
        _mark_offline(draft, context, "connection replaced")
    charge_point = replace(
        draft.state.charge_point, gateway_id=context.gateway_id, version=version, connected_since=context.now
    )
    draft.state = replace(draft.state, charge_point=charge_point)
    if version == V16.name and draft.state.evses:
        draft.state = replace(draft.state, evses={})  # on this socket it has connectors only
    draft.change(charge_point)
    draft.emit("connected", Connected(version=version, remote_address=remote_address or UNSET))
    return draft.decide(None)


def disconnect(state: ChargePointState, context: Context, *, reason: str) -> Decision[None]:
    """The socket is gone."""
    if not state.charge_point.is_online:
        return Decision(None, state)
    draft = Draft(state, context)
    _mark_offline(draft, context, reason)
    draft.change(draft.state.charge_point)
    return draft.decide(None)


def _mark_offline(draft: Draft, context: Context, reason: str) -> None:
    charge_point = draft.state.charge_point
    since = charge_point.connected_since
    draft.state = replace(
        draft.state,
        charge_point=replace(charge_point, connected_since=None, disconnected_at=context.now),
    )
    draft.emit("disconnected", Disconnected(reason=reason, connected_since=since or UNSET))


def boot(
    state: ChargePointState,
    context: Context,
    *,
    vendor: str,
    model: str,
    serial_number: str | None,
    firmware_version: str | None,
) -> Decision[Registration]:
    """Take a BootNotification (OCPP 1.6 §4.2); the answer is the registration that the operator gave."""
    charge_point = replace(
        state.charge_point,
        vendor=vendor,
        model=model,
        serial_number=serial_number,
        firmware_version=firmware_version,
        booted_at=context.now,
        booted_as=state.registration,
    )
    after = replace(state, charge_point=charge_point, registered=state.registration, asked_for=NOTHING_ASKED)
    draft = Draft(after, context)
    draft.change(charge_point)
    draft.emit(
        "booted",
        Booted(
            status=state.registration,
            vendor=vendor,
            model=model,
            serial_number=serial_number or UNSET,
            firmware_version=firmware_version or UNSET,
        ),
    )
    return draft.decide(state.registration)


def ask_for(state: ChargePointState, actions: frozenset[str]) -> Decision[None]:
    """A charge point that is not registered is asked for messages: until it boots again they are taken (2.x B02.FR.02)."""
    return Decision(None, replace(state, asked_for=state.asked_for | actions))


def keep(state: ChargePointState, context: Context, *, kind: str, body: object) -> Decision[None]:
    """Keep a message that changes nothing else."""
    draft = Draft(state, context)
    draft.change(record(state, context, kind, body))
    return draft.decide(None)


def security_event(
    state: ChargePointState, context: Context, *, event_type: str, instant: Instant, tech_info: str | None, body: object
) -> Decision[None]:
    """Take a SecurityEventNotification (security whitepaper A01): it is kept and published under its own type."""
    draft = Draft(state, context)
    draft.change(record(state, context, "SecurityEventNotification", body))
    # The charge point's own words become a topic level, an event type and part of an id: only what is safe in all of them.
    draft.emit(topics.level(event_type), SecurityEvent(timestamp=instant.at, tech_info=tech_info or UNSET))
    return draft.decide(None)


def login_refused(state: ChargePointState, context: Context, refused: LoginRefused) -> Decision[None]:
    """Take that somebody was refused who said that he is this charge point; one that is not known does not become known."""
    draft = Draft(state, context)
    draft.emit("login_refused", refused)
    return draft.decide(None)


def firmware_status(
    state: ChargePointState, context: Context, *, kind: str, status: str, request_id: int | None, body: object
) -> Decision[None]:
    """Take how a firmware update goes (OCPP 1.6 §4.5; security whitepaper §5.19)."""
    draft = Draft(state, context)
    draft.change(record(state, context, kind, body))
    draft.emit("firmware_status", FirmwareStatus(status=status, request_id=_or_unset(request_id)))
    return draft.decide(None)


def diagnostics_status(
    state: ChargePointState, context: Context, *, kind: str, status: str, request_id: int | None, body: object
) -> Decision[None]:
    """Take how an upload of diagnostics or of a log goes (OCPP 1.6 §4.4; security whitepaper §5.13)."""
    draft = Draft(state, context)
    draft.change(record(state, context, kind, body))
    draft.emit("diagnostics_status", DiagnosticsStatus(status=status, request_id=_or_unset(request_id)))
    return draft.decide(None)


def _or_unset(number: int | None) -> int | UnsetType:
    return number if number is not None else UNSET


def record(state: ChargePointState, context: Context, kind: str, body: object) -> Record:
    """Return the row that keeps a message."""
    return Record(
        client_id=state.charge_point.client_id,
        received_at=context.now,
        kind=kind,
        message_id=context.message_id,
        body=msgspec.json.encode(body),
    )
