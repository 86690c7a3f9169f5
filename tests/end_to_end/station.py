"""A session as a test writes it, in the CALLs of any version: what the driver does is the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.end_to_end.charger import CallError

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
STATION_ID = "0d6c0c5e-tx-1"


class Station:
    """What the stations of all versions have in common: a socket, and CALLs one after the other."""

    def __init__(self, url: str, client_id: str, version: str) -> None:
        self.client_id = client_id
        self.socket: ClientConnection = connect(url + client_id, subprotocols=[SUBPROTOCOLS[version]])
        self._numbers = itertools.count(1)
        self.boot()

    def call(self, action: str, **payload: Any) -> dict[str, Any]:
        message_id = f"{self.client_id}-{next(self._numbers)}"
        self.socket.send(json.dumps([2, message_id, action, payload], separators=(",", ":")))
        answer = json.loads(self.socket.recv(timeout=15))
        assert answer[1] == message_id
        if answer[0] == 4:
            raise CallError(*answer[2:4])
        return answer[2]

    def boot(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Station16(Station):
    """OCPP 1.6."""

    _transaction = 0

    def boot(self) -> None:
        self.call("BootNotification", chargePointVendor="ACME", chargePointModel="One", firmwareVersion="1.2")

    def plug_in(self) -> None:
        self._status("Available")
        self._status("Preparing")

    def begin(self, at: str, wh: int) -> dict[str, Any]:
        answer = self.call("StartTransaction", connectorId=1, idTag="TAG1", meterStart=wh, timestamp=at)
        self._transaction = answer["transactionId"]
        return answer["idTagInfo"]

    def charge(self, at: str) -> None:
        self._status("Charging", at)

    def pause(self, at: str) -> None:
        self._status("SuspendedEV", at)

    def meter(self, at: str, wh: int, watts: float) -> None:
        values = [{"value": str(wh)}, {"value": str(watts), "measurand": "Power.Active.Import", "unit": "W"}]
        self.call(
            "MeterValues",
            connectorId=1,
            transactionId=self._transaction,
            meterValue=[{"timestamp": at, "sampledValue": values}],
        )

    def end(self, at: str, wh: int) -> dict[str, Any]:
        answer = self.call(
            "StopTransaction", transactionId=self._transaction, meterStop=wh, timestamp=at, reason="EVDisconnected"
        )
        self._status("Finishing", at)
        return answer

    def unplug(self) -> None:
        self._status("Available")

    def _status(self, status: str, at: str = "2026-03-01T09:59:00Z") -> None:
        self.call("StatusNotification", connectorId=1, status=status, errorCode="NoError", timestamp=at)


class Station2(Station):
    """OCPP 2.0.1 and 2.1: the same to a station."""

    def __init__(self, *arguments: Any) -> None:
        self._seq_no = itertools.count()
        super().__init__(*arguments)

    def boot(self) -> None:
        station = {"vendorName": "ACME", "model": "One", "firmwareVersion": "1.2"}
        self.call("BootNotification", reason="PowerUp", chargingStation=station)

    def plug_in(self) -> None:
        self._status("Available")
        self._status("Occupied")

    def begin(self, at: str, wh: int) -> dict[str, Any]:
        answer = self.event(
            "Started",
            at,
            [_register(wh, context="Transaction.Begin")],
            trigger="Authorized",
            state="EVConnected",
            evse={"id": 1, "connectorId": 1},
            idToken={"idToken": "TAG1", "type": "ISO14443"},
        )
        return answer["idTokenInfo"]

    def charge(self, at: str) -> None:
        self.event("Updated", at, trigger="ChargingStateChanged", state="Charging")

    def pause(self, at: str) -> None:
        self.event("Updated", at, trigger="ChargingStateChanged", state="SuspendedEV")

    def meter(self, at: str, wh: int, watts: float) -> None:
        power = {"value": watts / 1000, "measurand": "Power.Active.Import"}
        power["unitOfMeasure"] = {"unit": "W", "multiplier": 3}
        self.event("Updated", at, [_register(wh), power], trigger="MeterValuePeriodic")

    def end(self, at: str, wh: int) -> dict[str, Any]:
        return self.event(
            "Ended",
            at,
            [_register(wh, context="Transaction.End")],
            trigger="EVDeparted",
            state="EVConnected",
            reason="EVDisconnected",
        )

    def unplug(self) -> None:
        self._status("Available")

    def event(
        self,
        kind: str,
        at: str,
        sampled: Sequence[dict[str, Any]] = (),
        *,
        trigger: str,
        state: str | None = None,
        reason: str | None = None,
        seq_no: int | None = None,
        **members: Any,
    ) -> dict[str, Any]:
        info = {"transactionId": STATION_ID, "chargingState": state, "stoppedReason": reason}
        if sampled:
            members["meterValue"] = [{"timestamp": at, "sampledValue": list(sampled)}]
        return self.call(
            "TransactionEvent",
            eventType=kind,
            timestamp=at,
            triggerReason=trigger,
            seqNo=next(self._seq_no) if seq_no is None else seq_no,
            transactionInfo={name: value for name, value in info.items() if value is not None},
            **members,
        )

    def _status(self, status: str) -> None:
        self.call(
            "StatusNotification",
            timestamp="2026-03-01T09:59:00Z",
            connectorStatus=status,
            evseId=1,
            connectorId=1,
        )


def station(url: str, client_id: str, version: str) -> Station16 | Station2:
    """Connect a station of a version."""
    kind = Station16 if version == "1.6" else Station2
    return kind(url, client_id, version)


def _register(wh: int, **members: str) -> dict[str, Any]:
    return {"value": wh, "unitOfMeasure": {"unit": "Wh"}, **members}
