"""Controls of distributed energy (OCPP 2.1, functional block R): kept and cleared; reports tell the curves."""

from __future__ import annotations

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.v2.messages import Payload


class DerControl:
    """The DER controls of a station, by their ids."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._kept: dict[str, Payload] = {}
        self.handlers: dict[str, Handler] = {
            "ClearDERControl": self._clear,
            "GetDERControl": self._get,
            "SetDERControl": self._set,
        }

    def _set(self, payload: Payload) -> Outcome:
        # Only curves are there: an electronic load that trips or injects at will is more than is simulated.
        if "curve" not in payload:
            return {"status": "NotSupported"}, None
        superseded = [
            control_id
            for control_id, other in self._kept.items()
            if (other["controlType"], other["isDefault"]) == (payload["controlType"], payload["isDefault"])
            and control_id != payload["controlId"]
        ]
        for control_id in superseded:
            del self._kept[control_id]
        self._kept[payload["controlId"]] = payload
        return {"status": "Accepted", **({"supersededIds": superseded} if superseded else {})}, None

    def _chosen(self, payload: Payload) -> list[str]:
        return [
            control_id
            for control_id, control in self._kept.items()
            if all(
                payload[name] == control[name] for name in ("isDefault", "controlType", "controlId") if name in payload
            )
        ]

    def _clear(self, payload: Payload) -> Outcome:
        chosen = self._chosen(payload)
        for control_id in chosen:
            del self._kept[control_id]
        return {"status": "Accepted" if chosen else "NotFound"}, None

    def _get(self, payload: Payload) -> Outcome:
        chosen = [self._kept[control_id] for control_id in self._chosen(payload)]
        if not chosen:
            return {"status": "NotFound"}, None
        report = {
            "requestId": payload["requestId"],
            "curve": [
                {
                    "id": control["controlId"],
                    "curveType": control["controlType"],
                    "curve": control["curve"],
                    "isDefault": control["isDefault"],
                    "isSuperseded": False,
                }
                for control in chosen
            ],
        }
        return {"status": "Accepted"}, lambda: self._controls.send("ReportDERControl", report)
