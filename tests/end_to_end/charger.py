"""A charge point as a test writes it: one CALL after the other on a blocking WebSocket of another library."""

from __future__ import annotations

import itertools
import json
from typing import Self

from websockets.sync.client import ClientConnection, connect


class CallError(Exception):
    """The daemon answered CALLERROR; the arguments are its code and description."""


BOOT_16 = {"chargePointVendor": "ACME", "chargePointModel": "One", "firmwareVersion": "1.2"}
BOOT_2X = {
    "reason": "PowerUp",
    "chargingStation": {"vendorName": "ACME", "model": "One", "firmwareVersion": "1.2"},
}


class Charger:
    """A charge point, of OCPP 1.6 where nothing else is said. ``call`` sends a CALL and returns the payload of its answer."""

    def __init__(self, url: str, client_id: str, *, boot: bool = True, version: str = "1.6", **options: object) -> None:
        self.client_id = client_id
        self.socket: ClientConnection = connect(url + client_id, subprotocols=[f"ocpp{version}"], **options)
        self._numbers = itertools.count(1)
        if boot:
            self.call("BootNotification", **(BOOT_16 if version == "1.6" else BOOT_2X))

    def call(self, action: str, message_id: str | None = None, **payload: object) -> dict:
        message_id = message_id or f"{self.client_id}-{next(self._numbers)}"
        self.socket.send(json.dumps([2, message_id, action, payload], separators=(",", ":")))
        answer = json.loads(self.socket.recv(timeout=15))
        assert answer[1] == message_id
        if answer[0] == 4:
            raise CallError(*answer[2:4])
        return answer[2]

    def status(self, status: str, connector: int = 1, error_code: str = "NoError", **more: object) -> dict:
        return self.call("StatusNotification", connectorId=connector, status=status, errorCode=error_code, **more)

    def begin(self, at: str, meter: int = 1000, tag: str = "TAG1", connector: int = 1) -> int:
        answer = self.call("StartTransaction", connectorId=connector, idTag=tag, meterStart=meter, timestamp=at)
        return answer["transactionId"]

    def meter(self, transaction: int, at: str, wh: int, connector: int = 1) -> dict:
        values = [{"value": str(wh)}, {"value": "7200.5", "measurand": "Power.Active.Import", "unit": "W"}]
        return self.call(
            "MeterValues",
            connectorId=connector,
            transactionId=transaction,
            meterValue=[{"timestamp": at, "sampledValue": values}],
        )

    def end(self, transaction: int, at: str, meter: int, reason: str = "EVDisconnected") -> dict:
        return self.call("StopTransaction", transactionId=transaction, meterStop=meter, timestamp=at, reason=reason)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
