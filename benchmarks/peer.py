"""The peer: the `ocpp` package's ChargePoint on `websockets`, as its documentation shows, with handlers that only answer.

    python benchmarks/peer.py --port 9001          prints READY when it listens

Schema validation is on, which is the package's default. Its example turns logging at INFO on, which
makes the peer slower; here that is `--log-info` and off by default, so that the comparison is in the peer's favour.
"""

import argparse
import asyncio
import itertools
import logging
from datetime import UTC, datetime

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint as OcppChargePoint
from ocpp.v16 import call_result, datatypes
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus

_log = logging.getLogger("peer")
_transaction_ids = itertools.count(1)


def _now() -> str:
    return datetime.now(tz=UTC).isoformat()


def _accepted() -> datatypes.IdTagInfo:
    return datatypes.IdTagInfo(status=AuthorizationStatus.accepted)


class ChargePoint(OcppChargePoint):
    """One connected charge point: seven actions that are answered and forgotten."""

    @on(Action.boot_notification)
    def on_boot_notification(self, charge_point_vendor: str, charge_point_model: str, **_kwargs):
        return call_result.BootNotification(current_time=_now(), interval=300, status=RegistrationStatus.accepted)

    @on(Action.heartbeat)
    def on_heartbeat(self):
        return call_result.Heartbeat(current_time=_now())

    @on(Action.authorize)
    def on_authorize(self, id_tag: str):
        return call_result.Authorize(id_tag_info=_accepted())

    @on(Action.status_notification)
    def on_status_notification(self, connector_id: int, error_code: str, status: str, **_kwargs):
        return call_result.StatusNotification()

    @on(Action.meter_values)
    def on_meter_values(self, connector_id: int, meter_value: list, **_kwargs):
        return call_result.MeterValues()

    @on(Action.start_transaction)
    def on_start_transaction(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_kwargs):
        return call_result.StartTransaction(transaction_id=next(_transaction_ids), id_tag_info=_accepted())

    @on(Action.stop_transaction)
    def on_stop_transaction(self, meter_stop: int, timestamp: str, transaction_id: int, **_kwargs):
        return call_result.StopTransaction(id_tag_info=_accepted())


async def on_connect(websocket: websockets.ServerConnection) -> None:
    """Serve one charge point until it goes."""
    if not websocket.subprotocol:
        _log.warning("no subprotocol in common, closing")
        await websocket.close()
        return
    charge_point = ChargePoint(websocket.request.path.strip("/"), websocket)
    try:
        await charge_point.start()
    except websockets.ConnectionClosed:
        _log.info("%s is gone", charge_point.id)


async def serve(port: int) -> None:
    """Listen on loopback until the process is ended."""
    async with websockets.serve(on_connect, "127.0.0.1", port, subprotocols=["ocpp1.6"]) as server:
        print("READY", flush=True)
        await server.wait_closed()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log-info", action="store_true", help="log every message to stderr, as the example does")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO if options.log_info else logging.WARNING)
    asyncio.run(serve(options.port))


if __name__ == "__main__":
    main()
