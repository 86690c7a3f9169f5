"""What a subscriber saw of the business stream: duplicates dropped by eventId, sessions put together."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from attrs import define, field, frozen


@frozen
class Sighting:
    """A business event as it arrived."""

    at: datetime
    topic: str
    event_type: str
    client_id: str
    payload: dict[str, Any]

    @property
    def words(self) -> str:
        """Say in a few words what happened."""
        return words(self.event_type, self.payload)


def words(event_type: str, payload: dict[str, Any]) -> str:
    """Say in a few words what a business event says.

    :raises KeyError: a member that an event of this type has is missing.
    """
    match event_type:
        case "started":
            return f"transaction {payload['transactionId']} on connector {payload['connectorId']} by {payload['idTag']}"
        case "meter_reading":
            return ", ".join(_reading(payload))
        case "completed":
            return f"{payload['energyUsed']:.3f} kWh in {payload['duration']:.0f} minutes, {payload['reason']}"
        case "session_cost":
            return f"{payload['estimatedCost']:.2f} {payload['currency']} for {payload['energyConsumed']:.3f} kWh"
        case "status_changed":
            previous = f"{payload['previousStatus']} -> " if "previousStatus" in payload else ""
            return f"connector {payload['connectorId']}: {previous}{payload['status']}"
        case "booted":
            return f"{payload['status']}: {payload['vendor']} {payload['model']}"
        case "connected":
            return f"{payload['version']} from {payload.get('remoteAddress', 'somewhere')}"
        case "disconnected":
            return str(payload["reason"])
        case "start_refused":
            return f"connector {payload['connectorId']} by {payload['idTag']}: the registration is {payload['registration']}"
        case "orphan_stop":
            return f"of transaction {payload['transactionId']}, which is not known, at {payload['meterStop']} Wh"
        case "reservation_changed":
            return _reservation(payload)
        case "configuration_changed":
            return _configuration(payload)
        case "firmware_status" | "diagnostics_status":
            return str(payload["status"])
        case _:
            return json.dumps(payload)


def _reservation(payload: dict[str, Any]) -> str:
    previous = f"{payload['previousStatus']} -> " if "previousStatus" in payload else ""
    place = f"connector {payload['connectorId']}" if payload["connectorId"] else "any connector"
    reason = f", {payload['reason']}" if "reason" in payload else ""
    tag_status = f" ({payload['idTagStatus']})" if "idTagStatus" in payload else ""
    return f"reservation {payload['reservationId']}, {place} for {payload['idTag']}{tag_status}: {previous}{payload['status']}{reason}"


def _configuration(payload: dict[str, Any]) -> str:
    if "wanted" in payload:
        return f"{payload['key']} is not {payload['wanted']}: {payload['status']}"
    previous = f"{payload['previousValue']} -> " if "previousValue" in payload else ""
    status = f" ({payload['status']})" if "status" in payload else ""
    return f"{payload['key']}: {previous}{payload.get('value', 'no value')}{status}"


def _reading(payload: dict[str, Any]) -> list[str]:
    parts = []
    if "totalEnergy" in payload:
        parts.append(f"register {payload['totalEnergy']:.3f} kWh")
    if "currentPower" in payload:
        parts.append(f"{payload['currentPower']:.2f} kW")
    return parts or [f"{len(payload['measurands'])} measurands"]


@define(eq=False)
class Sightings:
    """All that was seen of one gateway's charge points."""

    gateway_id: str
    event_ids: set[str] = field(factory=set)
    duplicates: int = 0
    completed: dict[int, float] = field(factory=dict)
    """Transaction id to kWh."""
    costs: dict[int, float] = field(factory=dict)
    """Transaction id to cost."""
    numbers: dict[tuple[str, str], int] = field(factory=dict)
    """Transaction ids by charge point and the id that a station of OCPP 2.x gave itself."""

    def take(self, topic: str, payload: str, now: datetime) -> Sighting | None:
        """Take a message; return it if it is a business event of ours that is new."""
        try:
            event = json.loads(payload)
        except ValueError:
            return None
        if not isinstance(event, dict) or "eventId" not in event or event.get("gatewayId") != self.gateway_id:
            return None
        if event["eventId"] in self.event_ids:
            self.duplicates += 1
            return None
        self.event_ids.add(event["eventId"])
        seen = Sighting(now, topic, event["eventType"], event["clientId"], event["payload"])
        if "stationTransactionId" in seen.payload:
            self.numbers[seen.client_id, seen.payload["stationTransactionId"]] = seen.payload["transactionId"]
        if seen.event_type == "completed":
            self.completed[seen.payload["transactionId"]] = seen.payload["energyUsed"]
        elif seen.event_type == "session_cost":
            self.costs[seen.payload["transactionId"]] = seen.payload["estimatedCost"]
        return seen

    def number(self, client_id: str, transaction_id: int | str) -> int | None:
        """Return the daemon's number of a transaction that a charge point names, None before it was seen."""
        if isinstance(transaction_id, int):
            return transaction_id
        return self.numbers.get((client_id, transaction_id))

    def has_seen(self, transaction_ids: set[int | None]) -> bool:
        """Whether these transactions are completed and have their cost."""
        return transaction_ids <= self.completed.keys() and transaction_ids <= self.costs.keys()
