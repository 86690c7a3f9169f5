"""The payloads fit the schemas, strictly."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16.enums import ChargePointStatus, ReadingContext, Reason

from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V16
from csms.simulator.curve import ChargingCurve
from csms.simulator.v16 import messages

TIME = "2026-06-01T12:00:00.000Z"


def fits(action, payload):
    return schemas_of(V16).check_request(action, payload, "strict") == ()


def meter_values(phases, elapsed_s=1800.0, register_wh=6500):
    curve = ChargingCurve(3680 * phases, 58_000, 0.4, phases)
    taken = messages.samples(curve.at(elapsed_s), register_wh, curve, Random(1), ReadingContext.sample_periodic)
    return messages.meter_values(1, TIME, taken)


def test_boot_notification_is_cut_to_the_lengths_of_the_specification():
    payload = messages.boot_notification("V" * 30, "M" * 30, "C" * 48)
    assert fits("BootNotification", payload)
    assert (len(payload["chargePointVendor"]), len(payload["chargePointSerialNumber"])) == (20, 25)


@given(st.sampled_from(list(ChargePointStatus)), st.integers(0, 9))
def test_status_notification(status, connector_id):
    payload = messages.status_notification(connector_id, status, TIME)
    assert fits("StatusNotification", payload)
    assert payload["status"] == status


def test_start_transaction_leaves_out_a_reservation_that_there_is_not():
    payload = messages.start_transaction(1, "TAG", 0, TIME, None)
    assert payload == {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": TIME}
    assert messages.start_transaction(1, "TAG", 0, TIME, 5)["reservationId"] == 5
    assert fits("StartTransaction", payload)


@given(st.sampled_from(list(Reason)))
def test_stop_transaction(reason):
    payload = messages.stop_transaction(None, 5000, TIME, reason)
    assert "idTag" not in payload
    assert "transactionId" not in payload
    assert fits("StopTransaction", {**payload, "transactionId": 1})


@pytest.mark.parametrize("phases", [1, 3])
def test_meter_values_have_every_measurand_and_phase(phases):
    payload = meter_values(phases)
    assert fits("MeterValues", {**payload, "transactionId": 1})
    (value,) = payload["meterValue"]
    keys = [(sample["measurand"], sample.get("phase"), sample["unit"]) for sample in value["sampledValue"]]
    lines = range(1, phases + 1)
    assert keys == [
        ("Energy.Active.Import.Register", None, "Wh"),
        ("Power.Active.Import", None, "W"),
        *(("Current.Import", f"L{line}", "A") for line in lines),
        *(("Voltage", f"L{line}-N", "V") for line in lines),
        ("SoC", None, "Percent"),
    ]


@pytest.mark.parametrize("phases", [1, 3])
def test_current_and_voltage_agree_with_power(phases):
    (value,) = meter_values(phases)["meterValue"]
    by_name = {(sample["measurand"], sample.get("phase")): float(sample["value"]) for sample in value["sampledValue"]}
    power_w = sum(
        by_name["Current.Import", f"L{line}"] * by_name["Voltage", f"L{line}-N"] for line in range(1, phases + 1)
    )
    assert power_w == pytest.approx(by_name["Power.Active.Import", None], rel=0.005)


def test_the_register_is_a_whole_number():
    (value,) = meter_values(3, register_wh=123_456)["meterValue"]
    assert value["sampledValue"][0]["value"] == "123456"
