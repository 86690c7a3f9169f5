"""A charge point of another author: the `ocpp` library's own, on `websockets`, with its schema validation on."""

from __future__ import annotations

import asyncio

import pytest
from ocpp import v21, v201
from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import connect


async def _session(url: str) -> tuple[int, list[object]]:
    async with connect(f"{url}OTHER1", subprotocols=["ocpp1.6"]) as socket:
        charger = ChargePoint("OTHER1", socket)
        listening = asyncio.create_task(charger.start())
        answers = [await charger.call(call.BootNotification(charge_point_model="M", charge_point_vendor="V"))]
        answers.append(
            await charger.call(call.StatusNotification(connector_id=1, error_code="NoError", status="Preparing"))
        )
        answers.append(await charger.call(call.Authorize(id_tag="TAG1")))
        begun = await charger.call(
            call.StartTransaction(connector_id=1, id_tag="TAG1", meter_start=100, timestamp="2026-03-01T10:00:00Z")
        )
        values = [{"timestamp": "2026-03-01T10:05:00Z", "sampled_value": [{"value": "600", "unit": "Wh"}]}]
        answers.append(
            await charger.call(
                call.MeterValues(connector_id=1, transaction_id=begun.transaction_id, meter_value=values)
            )
        )
        answers.append(
            await charger.call(
                call.StopTransaction(
                    meter_stop=1100,
                    timestamp="2026-03-01T10:10:00Z",
                    transaction_id=begun.transaction_id,
                    reason="Local",
                    id_tag="TAG1",
                )
            )
        )
        answers.append(await charger.call(call.DataTransfer(vendor_id="com.example")))
        answers.append(await charger.call(call.Heartbeat()))
        listening.cancel()
        return begun.transaction_id, answers


def test_a_session_of_the_ocpp_librarys_charge_point(daemon, subscriber):
    transaction, answers = asyncio.run(_session(daemon.url))
    assert [type(answer).__name__ for answer in answers] == [
        "BootNotification", "StatusNotification", "Authorize", "MeterValues", "StopTransaction", "DataTransfer", "Heartbeat",
    ]  # fmt: skip
    assert answers[0].status == "Accepted"
    (completed,) = subscriber.wait_topic("csms/transactions/OTHER1/completed")
    assert completed["payload"]["transactionId"] == transaction
    assert completed["payload"]["energyUsed"] == 1


async def _session_2x(url: str, version: str, library: object) -> list[object]:
    transaction = {"transaction_id": "tx-1"}
    token, evse = {"id_token": "TAG1", "type": "ISO14443"}, {"id": 1, "connector_id": 1}

    def event(kind: str, at: str, number: int, wh: float, **members: object) -> object:
        sampled = [{"value": wh, "measurand": "Energy.Active.Import.Register", "unit_of_measure": {"unit": "Wh"}}]
        return library.call.TransactionEvent(
            event_type=kind,
            timestamp=at,
            seq_no=number,
            meter_value=[{"timestamp": at, "sampled_value": sampled}],
            **members,
        )

    async with connect(f"{url}OTHER-{version}", subprotocols=[f"ocpp{version}"]) as socket:
        charger = library.ChargePoint(f"OTHER-{version}", socket)
        listening = asyncio.create_task(charger.start())
        station = {"model": "M", "vendor_name": "V"}
        calls = [
            library.call.BootNotification(charging_station=station, reason="PowerUp"),
            library.call.StatusNotification(
                timestamp="2026-03-01T09:59:00Z", connector_status="Available", evse_id=1, connector_id=1
            ),
            library.call.Authorize(id_token=token),
            event(
                "Started", "2026-03-01T10:00:00Z", 0, 100.0,
                trigger_reason="Authorized", transaction_info=transaction, id_token=token, evse=evse,
            ),
            event(
                "Updated", "2026-03-01T10:05:00Z", 1, 600.0,
                trigger_reason="MeterValuePeriodic", transaction_info={**transaction, "charging_state": "Charging"},
            ),
            event(
                "Ended", "2026-03-01T10:10:00Z", 2, 1100.0,
                trigger_reason="StopAuthorized", transaction_info={**transaction, "stopped_reason": "Local"},
            ),
            library.call.DataTransfer(vendor_id="com.example"),
            library.call.Heartbeat(),
        ]  # fmt: skip
        answers = [await charger.call(call, suppress=False) for call in calls]
        listening.cancel()
        return answers


@pytest.mark.parametrize(("version", "library"), [("2.0.1", v201), ("2.1", v21)], ids=["2.0.1", "2.1"])
def test_a_session_of_the_ocpp_librarys_station_of_2x(daemon, subscriber, version, library):
    answers = asyncio.run(_session_2x(daemon.url, version, library))
    assert [type(answer).__name__ for answer in answers] == [
        "BootNotification", "StatusNotification", "Authorize", *["TransactionEvent"] * 3, "DataTransfer", "Heartbeat",
    ]  # fmt: skip
    assert (answers[0].status, answers[2].id_token_info["status"]) == ("Accepted", "Accepted")
    (completed,) = subscriber.wait_topic(f"csms/transactions/OTHER-{version}/completed")
    payload = completed["payload"]
    assert (payload["stationTransactionId"], payload["energyUsed"], payload["reason"]) == ("tx-1", 1, "Local")
    assert (payload["idTag"], payload["connectorId"], payload["evseId"]) == ("TAG1", 1, 1)
