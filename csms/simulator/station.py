"""What a simulated charge point remembers about itself in every version: availability, reservations, the local list."""

from __future__ import annotations

from ocpp.v16.enums import ChargePointStatus

from csms.simulator.behaviour import Behaviour


class Station:
    """Availability, reservations, the local list and the intervals of one charge point.

    ``heartbeat_interval_s`` is as the server gave or set it, 0 where the charge point chooses; ``reservations`` are
    (reservation id, id tag) by connector.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.connectors = behaviour.connectors
        self.inoperative: set[int] = set()
        self.reservations: dict[int, tuple[int, str]] = {}
        self.list_version = 0
        self.profiles = 0
        self.network_slots = {1}
        self.heartbeat_interval_s = 300.0
        self.sample_interval_s = behaviour.interval_s

    def take_reservation(self, connector_id: int, id_tag: str) -> int | None:
        """Return the reservation that a session of this tag uses up."""
        reserved = self.reservations.get(connector_id)
        if reserved is None or reserved[1] != id_tag:
            return None
        del self.reservations[connector_id]
        return reserved[0]

    def has(self, connector_id: int) -> bool:
        """Return whether there is such a connector."""
        return 0 < connector_id <= self.connectors

    def can_be_used(self, connector_id: int, id_tag: str) -> bool:
        """Return whether a session of this tag can start there."""
        reserved = self.reservations.get(connector_id)
        return connector_id not in self.inoperative and (reserved is None or reserved[1] == id_tag)

    def idle_status(self, connector_id: int) -> ChargePointStatus:
        """Return the status of a connector without a car."""
        if connector_id in self.inoperative:
            return ChargePointStatus.unavailable
        return ChargePointStatus.reserved if connector_id in self.reservations else ChargePointStatus.available

    def cancel_reservation(self, reservation_id: int) -> int | None:
        """Forget a reservation and return its connector, None where there is no such reservation."""
        for connector_id, (known_id, _) in self.reservations.items():
            if known_id == reservation_id:
                del self.reservations[connector_id]
                return connector_id
        return None
