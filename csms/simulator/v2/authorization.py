"""Authorization (OCPP 2.x, functional blocks C and D): the cache that there is not, and the version of the local list."""

from __future__ import annotations

from ocpp.v201.enums import UpdateEnumType as Update

from csms.simulator.commands import Handler, Outcome
from csms.simulator.station import Station
from csms.simulator.v2.messages import Payload


class Authorization:
    """The local list, of which only the version counts: a simulated station asks its server."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.handlers: dict[str, Handler] = {
            "ClearCache": lambda _payload: ({"status": "Accepted"}, None),
            "GetLocalListVersion": self._list_version,
            "SendLocalList": self._send_list,
        }

    def _list_version(self, _payload: Payload) -> Outcome:
        return {"versionNumber": self._station.list_version}, None

    def _send_list(self, payload: Payload) -> Outcome:
        version = payload["versionNumber"]
        # D01.FR.15
        if payload["updateType"] == Update.differential and version <= self._station.list_version:
            return {"status": "VersionMismatch"}, None
        self._station.list_version = version
        return {"status": "Accepted"}, None
