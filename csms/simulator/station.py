"""What a simulated charge point remembers about itself: configuration, availability, reservations, the local list."""

from __future__ import annotations

import re
from typing import Any

from ocpp.v16.enums import ChargePointStatus, ConfigurationKey, ConfigurationStatus

from csms.simulator.behaviour import Behaviour

_KEY = re.compile(r"([0-9A-Fa-f]{2}){16,20}")


class Station:
    """Configuration, availability, reservations and the local list of one charge point."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.connectors = behaviour.connectors
        self.inoperative: set[int] = set()
        self.reservations: dict[int, tuple[int, str]] = {}
        self.list_version = 0
        self.profiles = 0
        self._settings: dict[str, str] = {
            ConfigurationKey.heartbeat_interval.value: "300",
            ConfigurationKey.meter_value_sample_interval.value: f"{behaviour.interval_s:g}",
            ConfigurationKey.transaction_message_attempts.value: str(behaviour.transaction_message_attempts),
            ConfigurationKey.transaction_message_retry_interval.value: f"{behaviour.retry_interval_s:g}",
            ConfigurationKey.web_socket_ping_interval.value: "0",
            ConfigurationKey.authorize_remote_tx_requests.value: "true",
            ConfigurationKey.stop_transaction_on_invalid_id.value: "true",
            ConfigurationKey.local_authorize_offline.value: "true",
        }
        self._fixed: dict[str, str] = {
            ConfigurationKey.number_of_connectors.value: str(behaviour.connectors),
            ConfigurationKey.supported_feature_profiles.value: "Core,LocalAuthListManagement,Reservation,RemoteTrigger",
            ConfigurationKey.get_configuration_max_keys.value: "50",
        }

    @property
    def sample_interval_s(self) -> float:
        """The interval of meter values that is set now."""
        return float(self._settings[ConfigurationKey.meter_value_sample_interval.value])

    def take_reservation(self, connector_id: int, id_tag: str) -> int | None:
        """Return the reservation that a session of this tag uses up."""
        reserved = self.reservations.get(connector_id)
        if reserved is None or reserved[1] != id_tag:
            return None
        del self.reservations[connector_id]
        return reserved[0]

    @property
    def heartbeat_interval_s(self) -> float:
        """The interval of heartbeats, as the server gave or set it."""
        return float(self._settings[ConfigurationKey.heartbeat_interval.value])

    @heartbeat_interval_s.setter
    def heartbeat_interval_s(self, interval_s: float) -> None:
        self._settings[ConfigurationKey.heartbeat_interval.value] = f"{interval_s:g}"

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

    def configuration(self, keys: list[str] | None) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the settings that were asked for, all without keys, and the keys that there are not."""
        wanted = keys or [*self._settings, *self._fixed]
        known = [
            {"key": key, "readonly": key in self._fixed, "value": self._settings.get(key, self._fixed.get(key))}
            for key in wanted
            if key in self._settings or key in self._fixed
        ]
        return known, [key for key in wanted if key not in self._settings and key not in self._fixed]

    @staticmethod
    def password_of(value: str) -> bytes | None:
        """Return the password that an AuthorizationKey stands for: 16 to 20 bytes; it is never given back."""
        return bytes.fromhex(value) if _KEY.fullmatch(value) else None

    def configure(self, key: str, value: str) -> ConfigurationStatus:
        """Change a setting, which must stay what it is: a number or a boolean."""
        if key in self._fixed:
            return ConfigurationStatus.rejected
        if key not in self._settings:
            return ConfigurationStatus.not_supported
        is_boolean = self._settings[key] in ("true", "false")
        if (value.lower() not in ("true", "false")) if is_boolean else not value.isdecimal():
            return ConfigurationStatus.rejected
        self._settings[key] = value.lower()
        return ConfigurationStatus.accepted
