"""A charge point of another author: the `ocpp` library's own, on `websockets`, with its schema validation on."""

from __future__ import annotations

import asyncio

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
