"""A station that speaks 2.x against a server on a real socket: its TransactionEvents, online and offline, and its record."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
import pytest_twisted
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from csms.ocppj.versions import V21, V201
from csms.simulator.behaviour import REASONS
from csms.simulator.sessions import SessionRecord

WHOLE_DAY = {"speed": 1, "duration_s": 86_400, "interval_s": 3_600}


@pytest.fixture(params=[V201, V21], ids=lambda version: version.name)
def version(request):
    return request.param


def events(server, client_id=None):
    """Return the TransactionEvents that arrived, each once, in the order of their first arrival."""
    seen = {}
    for message in server.sent("TransactionEvent", client_id):
        key = (message.payload["transactionInfo"]["transactionId"], message.payload["seqNo"])
        assert seen.setdefault(key, message.payload) == message.payload, "a repeated event is another"
    return list(seen.values())


def register(event):
    (value,) = event["meterValue"]
    sample = value["sampledValue"][0]
    assert sample["measurand"] == "Energy.Active.Import.Register"
    assert sample["unitOfMeasure"] == {"unit": "Wh"}
    return sample["value"]


@pytest_twisted.ensureDeferred
async def test_a_session_from_boot_to_end(server, make, version):
    charge_point = make(version=version, meter_start_wh=5000, connectors=2, speed=3_600)
    charge_point.start()
    await charge_point.when_done()
    assert server.handshakes[0].protocols == [version.subprotocol]
    boot, *statuses = server.messages[:3]
    assert (boot.payload["reason"], boot.payload["chargingStation"]["serialNumber"]) == ("PowerUp", "CP1")
    assert [(m.payload["evseId"], m.payload["connectorStatus"]) for m in statuses] == [
        (1, "Available"),
        (2, "Available"),
    ]
    told = [m.payload["connectorStatus"] for m in server.sent("StatusNotification")[2:]]
    assert told == ["Occupied", "Available"]
    assert server.sent("Authorize")[0].payload == {"idToken": {"idToken": "TAG0001", "type": "Local"}}
    sent = events(server)
    assert [event["seqNo"] for event in sent] == list(range(12))
    assert [event["eventType"] for event in sent] == ["Started", *["Updated"] * 10, "Ended"]
    assert [event["triggerReason"] for event in sent] == [
        "Authorized", "ChargingStateChanged", *["MeterValuePeriodic"] * 9, "StopAuthorized",
    ]  # fmt: skip
    assert len({event["transactionInfo"]["transactionId"] for event in sent}) == 1
    states = [event["transactionInfo"]["chargingState"] for event in sent]
    assert states == ["EVConnected", *["Charging"] * 10, "EVConnected"]
    assert [event for event in sent if "offline" in event] == []
    assert [event["evse"] for event in sent if "evse" in event] == [{"id": 1, "connectorId": 1}]


@pytest_twisted.ensureDeferred
async def test_the_record_says_exactly_what_was_sent(server, make, version):
    finished = []
    charge_point = make(version=version, meter_start_wh=5000, on_session=finished.append)
    charge_point.start()
    await charge_point.when_done()
    (record,) = charge_point.sessions
    sent = events(server)
    first, last = sent[0], sent[-1]
    assert record.version == version.name
    assert record.transaction_id == first["transactionInfo"]["transactionId"]
    assert len(record.transaction_id) == 36
    assert (record.meter_start_wh, record.meter_stop_wh) == (register(first), register(last))
    assert (record.start_timestamp, record.stop_timestamp) == (first["timestamp"], last["timestamp"])
    assert first["meterValue"][0]["sampledValue"][0]["context"] == "Transaction.Begin"
    assert last["meterValue"][0]["sampledValue"][0]["context"] == "Transaction.End"
    assert (last["transactionInfo"]["stoppedReason"], last["idToken"]["idToken"]) == (record.reason, record.id_tag)
    assert (record.meter_values, record.state_changes, record.settled) == (9, 1, True)
    readings = [register(event) for event in sent if "meterValue" in event]
    assert readings == sorted(readings)
    assert record.energy_wh == readings[-1] - readings[0] > 0
    assert finished == [record]
    times = [datetime.fromisoformat(event["timestamp"]) for event in sent]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert timedelta(seconds=595) < times[-1] - times[0] < timedelta(seconds=700)
    assert timedelta(0) <= datetime.now(UTC) - times[-1] < timedelta(seconds=60)


@pytest_twisted.ensureDeferred
async def test_the_cost_is_what_the_server_said_last(server, make, version):
    server.misbehave["TransactionEvent"] = [*[None] * 11, {"totalCost": 4.2}]
    charge_point = make(version=version)
    charge_point.start()
    await charge_point.when_done()
    assert charge_point.sessions[0].total_cost == 4.2


@pytest_twisted.ensureDeferred
async def test_power_is_said_in_kilowatts_by_a_multiplier(server, make, version):
    charge_point = make(version=version)
    charge_point.start()
    await charge_point.when_done()
    samples = [sample for event in events(server)[2:-1] for sample in event["meterValue"][0]["sampledValue"]]
    power = [sample for sample in samples if sample["measurand"] == "Power.Active.Import"]
    current = [sample for sample in samples if sample["measurand"] == "Current.Import"]
    assert {(sample["unitOfMeasure"]["unit"], sample["unitOfMeasure"]["multiplier"]) for sample in power} == {("W", 3)}
    assert 2 < power[-1]["value"] < 23
    assert {sample["phase"] for sample in current} == {"L1", "L2", "L3"}


@pytest_twisted.ensureDeferred
async def test_a_full_car_suspends(server, make, version):
    charge_point = make(version=version, duration_s=86_400, interval_s=7_200, speed=3_600_000)
    charge_point.start()
    await charge_point.when_done()
    sent = events(server)
    (full,) = [event for event in sent if event["transactionInfo"]["chargingState"] == "SuspendedEV"][:1]
    assert (full["triggerReason"], "meterValue" in full) == ("ChargingStateChanged", False)
    assert charge_point.sessions[0].state_changes == 2
    assert charge_point.sessions[0].settled


@pytest.mark.parametrize("fault", ["lose", "silence"])
@pytest.mark.parametrize("nth", [0, 1, 5, 11])
@pytest_twisted.ensureDeferred
async def test_an_event_without_an_answer_comes_again_with_its_seq_no(server, make, version, fault, nth):
    server.misbehave["TransactionEvent"] = [*[None] * nth, fault, fault]
    charge_point = make(version=version, answer_timeout_s=0.3)
    charge_point.start()
    await charge_point.when_done()
    first, second, third = server.sent("TransactionEvent")[nth : nth + 3]
    assert first.payload == second.payload == third.payload
    assert first.payload["seqNo"] == nth
    # OCPP-J 2.0.1 §4.1.4: retries, too, have ids of their own.
    assert len({first.message_id, second.message_id, third.message_id}) == 3
    assert len({first.socket, second.socket, third.socket}) == 3
    assert [event["seqNo"] for event in events(server)] == list(range(12))
    (record,) = charge_point.sessions
    assert (record.settled, record.repeated) == (True, 2)


@pytest_twisted.ensureDeferred
async def test_a_new_socket_is_no_boot(server, make, version):
    server.misbehave["TransactionEvent"] = [None, None, "lose"]
    charge_point = make(version=version)
    charge_point.start()
    await charge_point.when_done()
    again = [message.action for message in server.messages if message.socket is server.messages[-1].socket]
    assert again[:2] == ["StatusNotification", "TransactionEvent"]
    assert len(server.sent("BootNotification")) == 1
    assert server.connections("CP1") == 2


@pytest_twisted.ensureDeferred
async def test_what_happens_without_uplink_says_so(server, make, version):
    # It loses the uplink in the first session, and has it back in the middle of the third.
    charge_point = make(version=version, sessions=None, offline_after_s=90, offline_for_s=1500)
    charge_point.start()
    await server.until(lambda: server.connections("CP1") == 2)
    await server.until(lambda: sum(event["eventType"] == "Ended" for event in events(server)) >= 2)
    await charge_point.finish()
    first, second = charge_point.sessions[:2]
    assert (first.started_offline, second.started_offline) == (False, True)
    assert all(record.settled for record in charge_point.sessions)
    by_session = {}
    for event in events(server):
        by_session.setdefault(event["transactionInfo"]["transactionId"], []).append(event)
    assert list(by_session) == [record.transaction_id for record in charge_point.sessions]
    for sent in by_session.values():
        assert [event["seqNo"] for event in sent] == list(range(len(sent)))
    assert "offline" not in by_session[first.transaction_id][0]
    assert by_session[first.transaction_id][-1]["offline"] is True
    assert all(event["offline"] is True for event in by_session[second.transaction_id])


@pytest_twisted.ensureDeferred
async def test_a_refused_start_does_not_take_the_session_with_it(server, make, version):
    server.misbehave["TransactionEvent"] = ["InternalError"] * 3
    charge_point = make(version=version)
    charge_point.start()
    await charge_point.when_done()
    (record,) = charge_point.sessions
    assert (record.start_answered, record.dropped, record.stop_answered) == (False, 1, True)
    assert [event["seqNo"] for event in events(server)] == list(range(12))


@pytest_twisted.ensureDeferred
async def test_a_tag_that_is_not_accepted_in_started_is_deauthorized(server, make, version):
    server.misbehave["TransactionEvent"] = [{"idTokenInfo": {"status": "Blocked"}}]
    charge_point = make(version=version, **WHOLE_DAY)
    charge_point.start()
    await charge_point.when_done()
    ended = events(server)[-1]
    assert (ended["eventType"], ended["triggerReason"]) == ("Ended", "Deauthorized")
    assert ended["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    assert "idToken" not in ended
    assert charge_point.sessions[0].id_tag_status == "Blocked"


@pytest_twisted.ensureDeferred
async def test_a_refused_tag_starts_nothing(server, make, version):
    server.misbehave["Authorize"] = [{"idTokenInfo": {"status": "Invalid"}}]
    charge_point = make(version=version)
    charge_point.start()
    await charge_point.when_done()
    assert (charge_point.refused, charge_point.sessions, server.sent("TransactionEvent")) == (1, [], [])


@pytest_twisted.ensureDeferred
async def test_every_reason_can_end_a_session(server, make, version):
    for number, reason in enumerate(REASONS[version]):
        charge_point = make(f"CP{number}", version=version, reason=reason, duration_s=30)
        charge_point.start()
        await charge_point.when_done()
        ended = events(server, f"CP{number}")[-1]
        assert ended["transactionInfo"]["stoppedReason"] == charge_point.sessions[0].reason == reason


@pytest_twisted.ensureDeferred
async def test_signed_readings_verify(server, make, version):
    charge_point = make(version=version, signed_readings=True)
    charge_point.start()
    await charge_point.when_done()
    sent = events(server)
    for event, mark in ((sent[0], "B"), (sent[-1], "E")):
        signed = event["meterValue"][0]["sampledValue"][0]["signedMeterValue"]
        name, document, signature = base64.b64decode(signed["signedMeterData"]).split(b"|")
        public_key = base64.b64decode(signed["publicKey"]).decode().removeprefix("oca:base16:asn1:")
        key = load_der_public_key(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(msgspec.json.decode(signature)["SD"]), document, ec.ECDSA(hashes.SHA256()))
        (reading,) = msgspec.json.decode(document)["RD"]
        assert (name, signed["encodingMethod"]) == (b"OCMF", "OCMF")
        assert (reading["TX"], reading["RV"]) == (mark, register(event))


@pytest_twisted.ensureDeferred
async def test_the_same_seed_does_the_same(server, make, version):
    def what(client_id):
        return [
            (
                event["transactionInfo"],
                [sample["value"] for sample in event.get("meterValue", [{}])[0].get("sampledValue", [])],
            )
            for event in events(server, client_id)
        ]

    for client_id in ("CP1", "CP2"):
        charge_point = make(client_id, seed=5, version=version, sessions=2, reason=None)
        charge_point.start()
        await charge_point.when_done()
    assert what("CP1") == what("CP2")
    assert len({record.transaction_id for record in charge_point.sessions}) == 2


def test_a_record_is_json():
    record = SessionRecord("CP", 1, "TAG", 0, "2026-06-01T12:00:00.000Z", started_offline=False, version="2.1")
    assert msgspec.json.decode(msgspec.json.encode(record.as_dict()))["version"] == "2.1"
