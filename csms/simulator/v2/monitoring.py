"""Monitoring (OCPP 2.x, N02 to N07): monitors are kept and reported. Nothing ever happens that would trigger one."""

from __future__ import annotations

from itertools import count, groupby
from typing import Any

from ocpp.v201.enums import GetVariableStatusEnumType as GetStatus
from ocpp.v201.enums import MonitorEnumType as Monitor

from csms.ocppj.versions import V21, Version
from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.v2.device_model import DeviceModel, Variable
from csms.simulator.v2.messages import Payload

_CRITERIA = {
    "ThresholdMonitoring": {Monitor.upper_threshold, Monitor.lower_threshold},
    "DeltaMonitoring": {Monitor.delta},
    "PeriodicMonitoring": {Monitor.periodic, Monitor.periodic_clock_aligned},
}
_LOWEST_SEVERITY = 9


class Monitoring:
    """The monitors that were set."""

    def __init__(self, version: Version, controls: Controls, model: DeviceModel) -> None:
        self._version = version
        self._controls = controls
        self._model = model
        self._monitors: dict[int, tuple[Variable, Payload]] = {}
        self._ids = count(1)
        self.handlers: dict[str, Handler] = {
            "ClearVariableMonitoring": self._clear,
            "GetMonitoringReport": self._get_report,
            "SetMonitoringBase": self._set_base,
            "SetMonitoringLevel": self._set_level,
            "SetVariableMonitoring": self._set,
        }

    def _set(self, payload: Payload) -> Outcome:
        return {"setMonitoringResult": [self._set_one(item) for item in payload["setMonitoringData"]]}, None

    def _set_one(self, asked: Payload) -> Payload:
        result = {name: asked[name] for name in ("component", "variable", "type", "severity")}
        found = self._model.find(asked)
        if isinstance(found, GetStatus):
            return {**result, "status": found.value}
        monitor_id = asked.get("id")
        if monitor_id is not None and monitor_id not in self._monitors:
            return {**result, "id": monitor_id, "status": "Rejected"}
        alike = any(
            variable is found and (monitor["type"], monitor["severity"]) == (asked["type"], asked["severity"])
            for known_id, (variable, monitor) in self._monitors.items()
            if known_id != monitor_id
        )
        if alike:
            return {**result, "status": "Duplicate"}
        monitor_id = next(self._ids) if monitor_id is None else monitor_id
        monitor = {
            "id": monitor_id,
            "transaction": asked.get("transaction", False),
            "value": asked["value"],
            "type": asked["type"],
            "severity": asked["severity"],
        }
        if self._version is V21:
            monitor["eventNotificationType"] = "CustomMonitor"
        self._monitors[monitor_id] = (found, monitor)
        return {**result, "id": monitor_id, "status": "Accepted"}

    def _clear(self, payload: Payload) -> Outcome:
        results = [
            {"id": monitor_id, "status": "NotFound" if self._monitors.pop(monitor_id, None) is None else "Accepted"}
            for monitor_id in payload["id"]
        ]
        return {"clearMonitoringResult": results}, None

    def _set_base(self, _payload: Payload) -> Outcome:
        # Every base means: without the custom monitors, and there are no others here (N03).
        self._monitors.clear()
        return {"status": "Accepted"}, None

    def _set_level(self, payload: Payload) -> Outcome:
        return {"status": "Accepted" if 0 <= payload["severity"] <= _LOWEST_SEVERITY else "Rejected"}, None

    def _get_report(self, payload: Payload) -> Outcome:
        types = set().union(*(_CRITERIA[name] for name in payload.get("monitoringCriteria", _CRITERIA)))
        wanted = self._model.matching(payload.get("componentVariable"))
        chosen = [
            (variable, monitor)
            for variable, monitor in self._monitors.values()
            if variable in wanted and (monitor["type"] in types or "monitoringCriteria" not in payload)
        ]
        if not chosen:
            return {"status": "EmptyResultSet"}, None
        return {"status": "Accepted"}, lambda: self._notify(payload["requestId"], chosen)

    def _notify(self, request_id: int, chosen: list[tuple[Variable, dict[str, Any]]]) -> None:
        """Send NotifyMonitoringReport, a part for each variable (N02.FR.07)."""
        ordered = sorted(chosen, key=lambda item: id(item[0]))
        parts = [
            {**variable.names(), "variableMonitoring": [monitor for _, monitor in group]}
            for variable, group in groupby(ordered, key=lambda item: item[0])
        ]
        for seq_no, part in enumerate(parts):
            notification = {
                "requestId": request_id,
                "generatedAt": self._controls.timestamp(),
                "seqNo": seq_no,
                "tbc": seq_no < len(parts) - 1,
                "monitor": [part],
            }
            self._controls.send("NotifyMonitoringReport", notification)
