"""Smart charging (OCPP 2.x, functional block K): profiles are kept and reported; the simulated car does not heed them."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from ocpp.v201.enums import ChargingProfilePurposeEnumType as Purpose

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.station import Station
from csms.simulator.v2.messages import Payload

_SOURCE: Final = "CSO"
_ACCEPTED: Final[Payload] = {"status": "Accepted"}
_REJECTED: Final[Payload] = {"status": "Rejected"}


class SmartCharging:
    """The charging profiles of a station, by their ids, each with its EVSE (0: the station)."""

    def __init__(self, station: Station, controls: Controls) -> None:
        self._station = station
        self._controls = controls
        self._profiles: dict[int, tuple[int, Payload]] = {}
        self.handlers: dict[str, Handler] = {
            "ClearChargingProfile": self._clear,
            "GetChargingProfiles": self._get,
            "GetCompositeSchedule": self._composite,
            "SetChargingProfile": self._set,
            "UpdateDynamicSchedule": self._update,
            "UsePriorityCharging": self._prioritise,
        }

    def _set(self, payload: Payload) -> Outcome:
        evse_id, profile = payload["evseId"], payload["chargingProfile"]
        if evse_id and not self._station.has(evse_id):
            return _REJECTED, None
        # K01.FR.16, FR.33: a TxProfile is for a transaction that runs.
        is_for_transaction = profile["chargingProfilePurpose"] == Purpose.tx_profile
        if is_for_transaction and not self._controls.is_running(profile.get("transactionId", "")):
            return _REJECTED, None
        self._profiles = {
            profile_id: (other_evse, other)
            for profile_id, (other_evse, other) in self._profiles.items()
            if (other_evse, *_rank(other)) != (evse_id, *_rank(profile))
        }
        self._profiles[profile["id"]] = (evse_id, profile)
        return _ACCEPTED, None

    def _clear(self, payload: Payload) -> Outcome:
        criteria = payload.get("chargingProfileCriteria") or {}
        ids = [payload["chargingProfileId"]] if "chargingProfileId" in payload else None
        chosen = [profile["id"] for _, profile in self._chosen(ids, criteria.get("evseId"), criteria)]
        for profile_id in chosen:
            del self._profiles[profile_id]
        return ({"status": "Accepted"} if chosen else {"status": "Unknown"}), None

    def _get(self, payload: Payload) -> Outcome:
        criteria = payload["chargingProfile"]
        chosen = self._chosen(criteria.get("chargingProfileId"), payload.get("evseId"), criteria)
        if not chosen or _SOURCE not in criteria.get("chargingLimitSource", [_SOURCE]):
            return {"status": "NoProfiles"}, None
        return _ACCEPTED, lambda: self._report(payload["requestId"], chosen)

    def _chosen(self, ids: list[int] | None, evse_id: int | None, criteria: Payload) -> list[tuple[int, Payload]]:
        return [
            (own_evse, profile)
            for own_evse, profile in self._profiles.values()
            if (ids is None or profile["id"] in ids)
            and evse_id in (None, own_evse)
            and all(
                criteria[name] == profile[name] for name in ("chargingProfilePurpose", "stackLevel") if name in criteria
            )
        ]

    def _report(self, request_id: int, chosen: list[tuple[int, Payload]]) -> None:
        """Send ReportChargingProfiles, one for each EVSE (K09.FR.02)."""
        parts = [
            (evse_id, [profile for _, profile in group])
            for evse_id, group in groupby(sorted(chosen, key=lambda item: item[0]), key=lambda item: item[0])
        ]
        for number, (evse_id, profiles) in enumerate(parts, start=1):
            report = {
                "requestId": request_id,
                "chargingLimitSource": _SOURCE,
                "evseId": evse_id,
                "tbc": number < len(parts),
                "chargingProfile": profiles,
            }
            self._controls.send("ReportChargingProfiles", report)

    def _composite(self, payload: Payload) -> Outcome:
        """Give the schedule of the profile that counts most, as it is: profiles are not laid over each other."""
        evse_id, unit = payload["evseId"], payload.get("chargingRateUnit")
        candidates = [
            (profile, profile["chargingSchedule"][0])
            for own_evse, profile in self._profiles.values()
            if own_evse in (0, evse_id) and unit in (None, profile["chargingSchedule"][0]["chargingRateUnit"])
        ]
        if (evse_id and not self._station.has(evse_id)) or not candidates:
            return _REJECTED, None
        _, schedule = max(candidates, key=lambda item: item[0]["stackLevel"])
        composite = {
            "evseId": evse_id,
            "duration": payload["duration"],
            "scheduleStart": self._controls.timestamp(),
            "chargingRateUnit": schedule["chargingRateUnit"],
            "chargingSchedulePeriod": [
                period for period in schedule["chargingSchedulePeriod"] if period["startPeriod"] < payload["duration"]
            ]
            or schedule["chargingSchedulePeriod"][:1],
        }
        return {"status": "Accepted", "schedule": composite}, None

    def _update(self, payload: Payload) -> Outcome:
        """Change a dynamic profile (2.1 K28)."""
        _, profile = self._profiles.get(payload["chargingProfileId"], (0, None))
        if profile is None or profile["chargingProfileKind"] != "Dynamic":
            return _REJECTED, None
        profile["chargingSchedule"][0]["chargingSchedulePeriod"][0].update(payload["scheduleUpdate"])
        return _ACCEPTED, None

    def _prioritise(self, payload: Payload) -> Outcome:
        """Use the PriorityCharging profile (2.1 K21), where there is one."""
        if not self._controls.is_running(payload["transactionId"]):
            return _REJECTED, None
        purposes = {profile["chargingProfilePurpose"] for _, profile in self._profiles.values()}
        return ({"status": "Accepted"} if "PriorityCharging" in purposes else {"status": "NoProfile"}), None


def _rank(profile: Payload) -> tuple[str, int]:
    """Return what two profiles of one EVSE must not share (K01.FR.05, FR.39)."""
    return profile["chargingProfilePurpose"], profile["stackLevel"]
