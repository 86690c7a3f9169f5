"""Availability and reservations (OCPP 2.x, functional blocks G and H)."""

from __future__ import annotations

from functools import partial

from ocpp.v201.enums import OperationalStatusEnumType as OperationalStatus

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.station import Station
from csms.simulator.v2.messages import CONNECTOR_ID, Payload


class Availability:
    """Which EVSEs may be used, and by whom."""

    def __init__(self, station: Station, controls: Controls) -> None:
        self._station = station
        self._controls = controls
        self.handlers: dict[str, Handler] = {
            "CancelReservation": self._cancel_reservation,
            "ChangeAvailability": self._change_availability,
            "ReserveNow": self._reserve,
        }

    def _change_availability(self, payload: Payload) -> Outcome:
        evse = payload.get("evse") or {"id": 0}
        evse_id = evse["id"]
        if (evse_id and not self._station.has(evse_id)) or evse.get("connectorId", CONNECTOR_ID) != CONNECTOR_ID:
            return {"status": "Rejected"}, None
        changed = [evse_id] if evse_id else list(range(1, self._station.connectors + 1))
        if payload["operationalStatus"] == OperationalStatus.operative:
            self._station.inoperative.difference_update(changed)
        else:
            self._station.inoperative.update(changed)
        idle = [item for item in changed if not self._controls.charging(item)]
        status = "Accepted" if idle == changed else "Scheduled"
        return {"status": status}, lambda: self._controls.availability_changed(idle)

    def _reserve(self, payload: Payload) -> Outcome:
        reservation_id, id_tag = payload["id"], payload["idToken"]["idToken"]
        wanted = payload.get("evseId")
        if wanted is not None and not self._station.has(wanted):
            return {"status": "Rejected"}, None
        evse_ids = [wanted] if wanted is not None else list(range(1, self._station.connectors + 1))
        usable = [evse_id for evse_id in evse_ids if evse_id not in self._station.inoperative]
        if not usable:
            return {"status": "Unavailable"}, None
        for evse_id in usable:
            reserved = self._station.reservations.get(evse_id)
            if not self._controls.charging(evse_id) and (reserved is None or reserved[0] == reservation_id):
                return {"status": "Accepted"}, partial(self._keep, evse_id, reservation_id, id_tag)
        return {"status": "Occupied"}, None

    def _keep(self, evse_id: int, reservation_id: int, id_tag: str) -> None:
        # H01.FR.02: the same id replaces the reservation, which may have been for another EVSE.
        before = self._station.cancel_reservation(reservation_id)
        self._station.reservations[evse_id] = (reservation_id, id_tag)
        self._controls.availability_changed([evse_id] if before in (None, evse_id) else [before, evse_id])

    def _cancel_reservation(self, payload: Payload) -> Outcome:
        freed = self._station.cancel_reservation(payload["reservationId"])
        if freed is None:
            return {"status": "Rejected"}, None
        return {"status": "Accepted"}, lambda: self._controls.availability_changed([freed])
