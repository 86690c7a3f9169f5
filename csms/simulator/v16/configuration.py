"""The configuration keys of a simulated OCPP 1.6 charge point (§9)."""

from __future__ import annotations

import re
from typing import Any, Final

from ocpp.v16.enums import ConfigurationKey, ConfigurationStatus

from csms.simulator.behaviour import Behaviour
from csms.simulator.station import Station

_HEARTBEAT: Final = ConfigurationKey.heartbeat_interval.value
_SAMPLES: Final = ConfigurationKey.meter_value_sample_interval.value
_PASSWORD: Final = re.compile(r"([0-9A-Fa-f]{2}){16,20}")


def password_of(value: str) -> bytes | None:
    """Return the password that an AuthorizationKey stands for: 16 to 20 bytes; it is never given back."""
    return bytes.fromhex(value) if _PASSWORD.fullmatch(value) else None


class Configuration:
    """The keys and their values; the two intervals are the station's."""

    def __init__(self, station: Station, behaviour: Behaviour) -> None:
        self._station = station
        self._settings: dict[str, str] = {
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

    def _changeable(self) -> dict[str, str]:
        intervals = {
            _HEARTBEAT: f"{self._station.heartbeat_interval_s:g}",
            _SAMPLES: f"{self._station.sample_interval_s:g}",
        }
        return {**intervals, **self._settings}

    def get(self, keys: list[str] | None) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the settings that were asked for, all without keys, and the keys that there are not."""
        values = {**self._changeable(), **self._fixed}
        wanted = keys or list(values)
        known = [{"key": key, "readonly": key in self._fixed, "value": values[key]} for key in wanted if key in values]
        return known, [key for key in wanted if key not in values]

    def change(self, key: str, value: str) -> ConfigurationStatus:
        """Change a setting, which must stay what it is: a number or a boolean."""
        before = self._changeable().get(key)
        if before is None:
            return ConfigurationStatus.rejected if key in self._fixed else ConfigurationStatus.not_supported
        is_boolean = before in ("true", "false")
        if (value.lower() not in ("true", "false")) if is_boolean else not value.isdecimal():
            return ConfigurationStatus.rejected
        if key == _HEARTBEAT:
            self._station.heartbeat_interval_s = float(value)
        elif key == _SAMPLES:
            self._station.sample_interval_s = float(value)
        else:
            self._settings[key] = value.lower()
        return ConfigurationStatus.accepted
