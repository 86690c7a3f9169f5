"""Provisioning (OCPP 2.x, functional block B): variables, reports, resets, network profiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ocpp.v201.enums import MutabilityEnumType as Mutability
from ocpp.v201.enums import ReasonEnumType as Reason
from ocpp.v201.enums import ReportBaseEnumType as ReportBase
from ocpp.v201.enums import ResetEnumType as ResetType

from csms.simulator.commands import Controls, Effect, Handler, Outcome
from csms.simulator.station import Station
from csms.simulator.v2.device_model import DeviceModel, Variable
from csms.simulator.v2.messages import Payload

_VARIABLES_A_PART: Final = 8


class Provisioning:
    """Answers from the device model; ``new_password`` gives a password that was set, once."""

    def __init__(
        self, station: Station, controls: Controls, model: DeviceModel, new_password: Callable[[], str | None]
    ) -> None:
        self._station = station
        self._controls = controls
        self._model = model
        self._new_password = new_password
        self.handlers: dict[str, Handler] = {
            "GetBaseReport": self._get_base_report,
            "GetReport": self._get_report,
            "GetVariables": self._get_variables,
            "Reset": self._reset,
            "SetNetworkProfile": self._set_network_profile,
            "SetVariables": self._set_variables,
        }

    def _get_variables(self, payload: Payload) -> Outcome:
        return {"getVariableResult": [self._model.get(item) for item in payload["getVariableData"]]}, None

    def _set_variables(self, payload: Payload) -> Outcome:
        results = [self._model.set(item) for item in payload["setVariableData"]]
        password = self._new_password()
        # A01: it connects again, with the new password.
        effect: Effect | None = None if password is None else lambda: self._controls.change_password(password)
        return {"setVariableResult": results}, effect

    def _get_base_report(self, payload: Payload) -> Outcome:
        match payload["reportBase"]:
            case ReportBase.full_inventory:
                wanted = list(self._model)
            case ReportBase.configuration_inventory:
                wanted = [item for item in self._model if item.mutability is not Mutability.read_only]
            case _:
                wanted = [item for item in self._model if item.name == "AvailabilityState"]
        return self._report(payload["requestId"], wanted)

    def _get_report(self, payload: Payload) -> Outcome:
        # By criteria nothing is reported: no component can have a problem, or be switched off.
        wanted = [] if payload.get("componentCriteria") else self._model.matching(payload.get("componentVariable"))
        return self._report(payload["requestId"], wanted)

    def _report(self, request_id: int, wanted: Sequence[Variable]) -> Outcome:
        if not wanted:
            return {"status": "EmptyResultSet"}, None
        data = [item.report() for item in wanted]
        return {"status": "Accepted"}, lambda: self._notify(request_id, data)

    def _notify(self, request_id: int, data: Sequence[Payload]) -> None:
        """Send NotifyReport in parts (B07.FR.08)."""
        parts = [data[at : at + _VARIABLES_A_PART] for at in range(0, len(data), _VARIABLES_A_PART)]
        for seq_no, part in enumerate(parts):
            notification = {
                "requestId": request_id,
                "generatedAt": self._controls.timestamp(),
                "seqNo": seq_no,
                "tbc": seq_no < len(parts) - 1,
                "reportData": part,
            }
            self._controls.send("NotifyReport", notification)

    def _reset(self, payload: Payload) -> Outcome:
        kind, evse_id = payload["type"], payload.get("evseId")
        if kind not in (ResetType.immediate, ResetType.on_idle):
            return {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedParam"}}, None
        if evse_id is not None:
            return self._reset_evse(kind, evse_id)
        if kind == ResetType.on_idle:
            status = "Scheduled" if self._controls.charging() else "Accepted"
            return {"status": status}, self._controls.reset_when_idle
        return {"status": "Accepted"}, lambda: self._controls.reset(Reason.immediate_reset.value, reconnect=True)

    def _reset_evse(self, kind: str, evse_id: int) -> Outcome:
        """An EVSE has nothing to boot: a reset of it alone ends its session (B11.FR.08)."""
        if not 0 < evse_id <= self._station.connectors:
            return {"status": "Rejected"}, None
        if not self._controls.charging(evse_id):
            return {"status": "Accepted"}, None
        if kind == ResetType.on_idle:
            return {"status": "Scheduled"}, None
        return {"status": "Accepted"}, lambda: self._controls.request_stop(Reason.immediate_reset.value)

    def _set_network_profile(self, payload: Payload) -> Outcome:
        # From now on NetworkConfigurationPriority may name the slot (B09, B10). It connects as it did: to one server.
        self._station.network_slots.add(payload["configurationSlot"])
        return {"status": "Accepted"}, None
