"""Monitors of variables, and what they tell of (OCPP 2.x, functional block N)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.business import VariableEvent
from csms.events.redaction import without_secrets
from csms.ledger import chargepoints, connectors, evses, reports
from csms.ledger.clock import Instant
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.device_model import Known, Room, value_row
from csms.ledger.evses import NoSuchConnector
from csms.ledger.model import Monitor, Report
from csms.ledger.reports import Part
from csms.ledger.state import ChargePointState
from csms.ledger.variables import ACTUAL, VariableName, kept_value

MOST_MONITORS = 1000
"""Of one charge point: further ones are not kept."""
CUSTOM, PRECONFIGURED = "CustomMonitor", "PreconfiguredMonitor"
_MOST_ALERTS = 100
"""How many alerts of one message are kept."""
_ALERTING = "Alerting"
_AVAILABILITY = "availabilitystate"
_STATION, _EVSE, _CONNECTOR = "chargingstation", "evse", "connector"
_AVAILABLE = frozenset({_STATION, _EVSE, _CONNECTOR})
_IN_USE = frozenset({"Occupied", "Reserved"})
_LONGEST_STATUS = 50
_ENDED_BY_BASE = {"FactoryDefault": frozenset({CUSTOM}), "HardWiredOnly": frozenset({CUSTOM, PRECONFIGURED})}
"""The kinds of monitors that are gone when a base of monitors was set (N03)."""


class Monitored(Struct, frozen=True, gc=False):
    """A monitor as a message tells of it."""

    monitor_id: int
    name: VariableName
    monitor_type: str
    value: Decimal
    severity: int
    in_transaction: bool = False
    notification_type: str | None = None


class Happened(Struct, frozen=True):
    """An event of a variable (EventDataType); ``body`` is its payload as it came."""

    event_id: int
    instant: Instant
    trigger: str
    name: VariableName
    value: str | None
    body: object
    cleared: bool = False
    monitor_id: int | None = None
    notification_type: str | None = None
    severity: int | None = None
    cause: int | None = None
    tech_code: str | None = None
    tech_info: str | None = None
    station_transaction_id: str | None = None


def report(
    state: ChargePointState,
    context: Context,
    *,
    part: Part,
    monitors: Sequence[Monitored],
    before: Report | None,
    known: Mapping[int, Monitor],
) -> Decision[None]:
    """Take a NotifyMonitoringReport (N02). A complete one of everything says which monitors there are no more."""
    after = reports.with_part(before, part, state.charge_point.client_id, context.now)
    if after is None:
        return Decision(None, state)
    draft = Draft(state, context)
    _write(draft, context, monitors, known)
    completed = reports.close_if_complete(draft, after, context.now)
    if completed.completed_at is not None and completed is not after and _is_of_everything(completed):
        told = {monitor.monitor_id for monitor in monitors}
        gone = [
            monitor
            for monitor in known.values()
            if monitor.monitor_id not in told and monitor.seen_at < completed.begun_at
        ]
        _clear(draft, gone, context.now)
    reports.keep(draft, completed)
    return draft.decide(None)


def monitors_set(
    state: ChargePointState, context: Context, *, monitors: Sequence[Monitored], known: Mapping[int, Monitor]
) -> Decision[None]:
    """Take the monitors that a charge point accepted (N04)."""
    draft = Draft(state, context)
    _write(draft, context, monitors, known)
    return draft.decide(None)


def monitors_cleared(
    state: ChargePointState, context: Context, *, ids: Sequence[int], known: Mapping[int, Monitor]
) -> Decision[None]:
    """Take which monitors a charge point has no more (N06)."""
    draft = Draft(state, context)
    _clear(draft, [known[number] for number in dict.fromkeys(ids) if number in known], context.now)
    return draft.decide(None)


def base_set(state: ChargePointState, context: Context, *, base: str, known: Mapping[int, Monitor]) -> Decision[None]:
    """Take that a charge point has put its monitors back to a base of them (N03)."""
    draft = Draft(state, context)
    ended = _ENDED_BY_BASE.get(base, frozenset())
    _clear(draft, [monitor for monitor in known.values() if monitor.notification_type in ended], context.now)
    return draft.decide(None)


def events(
    state: ChargePointState,
    context: Context,
    *,
    happened: Sequence[Happened],
    known: Known,
    monitors: Mapping[int, Monitor],
) -> Decision[None]:
    """Take a NotifyEvent (N07): all of it is told, alerts are kept, and values are the last known ones from now on."""
    draft, room = Draft(state, context), Room(known)
    for event in happened:
        _take_availability(draft, context, event, happened)
        earlier = room.take(event.name, ACTUAL)
        mutability = earlier.mutability if earlier is not None else None
        value = kept_value(event.name, event.value, mutability)
        if earlier is not None:
            draft.change(value_row(state, context, event.name, value))
        monitor = monitors.get(event.monitor_id) if event.monitor_id is not None else None
        draft.emit("variable_event", _told(draft.state, event, value, monitor))
    alerts = [without_secrets(event.body) for event in happened if event.trigger == _ALERTING]
    if alerts:
        draft.change(chargepoints.record(draft.state, context, "NotifyEvent", alerts[:_MOST_ALERTS]))
    return draft.decide(None)


def _take_availability(draft: Draft, context: Context, event: Happened, beside: Sequence[Happened]) -> None:
    """Take the state of a connector, an EVSE or the station as StatusNotification would tell it (G01)."""
    name = event.name
    component = name.component.casefold()
    if name.variable.casefold() != _AVAILABILITY or component not in _AVAILABLE or not event.value:
        return
    status = event.value[:_LONGEST_STATUS]
    if component == _STATION:
        # The station itself is not plugged in.
        status = "Available" if status in _IN_USE else status
    elif name.evse_id is None or (component == _EVSE and _has_connectors(draft.state, name.evse_id, beside)):
        return
    with suppress(NoSuchConnector):
        draft.take(
            connectors.station_status(
                draft.state,
                context,
                evse_id=evses.STATION if name.evse_id is None or component == _STATION else name.evse_id,
                station_connector_id=name.station_connector_id,
                status=status,
                instant=event.instant,
            )
        )


def _has_connectors(state: ChargePointState, evse_id: int, beside: Sequence[Happened]) -> bool:
    """Tell whether an EVSE's state is that of none of its connectors: of several, or they tell of themselves."""
    mine = sum(known.evse_id == evse_id for known in state.evses.values())
    told = any(
        event.name.evse_id == evse_id
        and event.name.component.casefold() == _CONNECTOR
        and event.name.variable.casefold() == _AVAILABILITY
        for event in beside
    )
    return mine > 1 or told


def _told(state: ChargePointState, event: Happened, value: str | None, monitor: Monitor | None) -> VariableEvent:
    severity = event.severity if event.severity is not None else monitor.severity if monitor is not None else None
    tech_info = without_secrets(event.tech_info)
    station_id = event.station_transaction_id
    running = (one for one in state.running.values() if one.station_transaction_id == station_id)
    transaction = next(running, None) if station_id is not None else None
    place = event.name.evse_id
    connector_id = evses.find(state, place, event.name.station_connector_id) if place is not None else None
    return VariableEvent(
        timestamp=event.instant.at,
        trigger=event.trigger,
        station_event_id=event.event_id,
        cleared=event.cleared,
        value=value if value is not None else UNSET,
        severity=severity if severity is not None else UNSET,
        monitor_id=event.monitor_id if event.monitor_id is not None else UNSET,
        notification_type=event.notification_type or UNSET,
        cause=event.cause if event.cause is not None else UNSET,
        tech_code=event.tech_code or UNSET,
        tech_info=tech_info or UNSET,
        connector_id=connector_id if connector_id is not None else UNSET,
        transaction_id=transaction.transaction_id if transaction is not None and transaction.is_told else UNSET,
        station_transaction_id=station_id or UNSET,
        **event.name.told(),
    )


def _is_of_everything(report: Report) -> bool:
    """Tell whether a report was asked for without criteria."""
    if report.request is None:
        return False
    asked = msgspec.json.decode(report.request)
    return not (asked.get("monitoringCriteria") or asked.get("componentVariable"))


def _write(draft: Draft, context: Context, monitors: Sequence[Monitored], known: Mapping[int, Monitor]) -> None:
    left = MOST_MONITORS - sum(monitor.cleared_at is None for monitor in known.values())
    for monitor in monitors:
        before = known.get(monitor.monitor_id)
        if before is None or before.cleared_at is not None:
            left -= 1
            if left < 0:
                continue
            before = None
        kind = monitor.notification_type
        if kind is None and before is not None and before.variable == monitor.name.variable:
            kind = before.notification_type  # 2.0.1 tells of it only in events
        draft.change(
            Monitor(
                client_id=draft.state.charge_point.client_id,
                monitor_id=monitor.monitor_id,
                monitor_type=monitor.monitor_type,
                value=monitor.value,
                severity=monitor.severity,
                in_transaction=monitor.in_transaction,
                notification_type=kind,
                seen_at=context.now,
                **monitor.name.parts(),
            )
        )


def _clear(draft: Draft, monitors: Sequence[Monitor], now: datetime) -> None:
    for monitor in monitors:
        if monitor.cleared_at is None:
            draft.change(replace(monitor, cleared_at=now))
