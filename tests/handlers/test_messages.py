"""Every message of OCPP 1.6 that a charge point can send: its answer, and what it leaves in the ledger."""

from dataclasses import dataclass

import pytest

from csms.ledger.state import ChargePoint, Connector, MeterProgress, Reading, Record, Transaction
from tests.handlers.station import BOOT, SCHEMAS, START, Station

AT = "2026-03-01T11:30:00Z"
METER_VALUE = [{"timestamp": AT, "sampledValue": [{"value": "2000"}]}]


@dataclass
class Row:
    section: str
    action: str
    request: dict
    answer: dict
    changes: tuple = ()
    events: tuple = ()
    running: bool = False

    def __str__(self):
        return f"{self.section} {self.action}"


TABLE = [
    Row("1.6 §4.1", "Authorize", {"idTag": "TAG1"}, {"idTagInfo": {"status": "Accepted"}}),
    Row(
        "1.6 §4.2",
        "BootNotification",
        BOOT,
        {"currentTime": "2026-03-01T12:00:01.000Z", "interval": 300, "status": "Accepted"},
        (ChargePoint,),
        ("booted",),
    ),
    Row("1.6 §4.3", "DataTransfer", {"vendorId": "acme"}, {"status": "UnknownVendorId"}, (Record,)),
    Row(
        "1.6 §4.3 with message and data",
        "DataTransfer",
        {"vendorId": "acme", "messageId": "m", "data": "[1]"},
        {"status": "UnknownVendorId"},
        (Record,),
    ),
    Row("1.6 §4.4", "DiagnosticsStatusNotification", {"status": "Uploaded"}, {}, (Record,)),
    Row("1.6 §4.5", "FirmwareStatusNotification", {"status": "Installed"}, {}, (Record,)),
    Row("1.6 §4.6", "Heartbeat", {}, {"currentTime": "2026-03-01T12:00:01.000Z"}),
    Row(
        "1.6 §4.7 outside a transaction",
        "MeterValues",
        {"connectorId": 1, "meterValue": METER_VALUE},
        {},
        (Reading,),
        ("meter_reading",),
    ),
    Row(
        "1.6 §4.7 in a transaction",
        "MeterValues",
        {"connectorId": 1, "transactionId": 1, "meterValue": METER_VALUE},
        {},
        (Reading, MeterProgress),
        ("meter_reading",),
        running=True,
    ),
    Row(
        "1.6 §4.8",
        "StartTransaction",
        START,
        {"transactionId": 1, "idTagInfo": {"status": "Accepted"}},
        (Transaction,),
        ("started",),
    ),
    Row(
        "1.6 §4.9",
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
        {},
        (Connector,),
        ("status_changed",),
    ),
    Row(
        "1.6 §4.9 with everything",
        "StatusNotification",
        {
            "connectorId": 0,
            "errorCode": "OtherError",
            "status": "Faulted",
            "timestamp": AT,
            "info": "i",
            "vendorId": "v",
            "vendorErrorCode": "E1",
        },
        {},
        (Connector,),
        ("status_changed",),
    ),
    Row(
        "1.6 §4.10",
        "StopTransaction",
        {"transactionId": 1, "meterStop": 3000, "timestamp": AT},
        {},
        (Transaction,),
        ("completed", "session_cost"),
        running=True,
    ),
    Row(
        "1.6 §4.10 with a tag and a reason",
        "StopTransaction",
        {"transactionId": 1, "meterStop": 3000, "timestamp": AT, "idTag": "TAG1", "reason": "EVDisconnected"},
        {"idTagInfo": {"status": "Accepted"}},
        (Transaction,),
        ("completed", "session_cost"),
        running=True,
    ),
    Row(
        "security whitepaper A04, §5.15",
        "SecurityEventNotification",
        {"type": "InvalidFirmwareSignature", "timestamp": AT, "techInfo": "x"},
        {},
        (Record,),
        ("InvalidFirmwareSignature",),
    ),
    Row("security whitepaper A02, §5.17", "SignCertificate", {"csr": "PEM"}, {"status": "Rejected"}, (Record,)),
    Row(
        "security whitepaper N01, §5.13", "LogStatusNotification", {"status": "Uploaded", "requestId": 1}, {}, (Record,)
    ),
    Row(
        "security whitepaper L01, §5.19",
        "SignedFirmwareStatusNotification",
        {"status": "Installed", "requestId": 1},
        {},
        (Record,),
    ),
]


def _station(row):
    station = Station()
    if row.running:
        assert station.start() == 1
        station.now -= station.now - Station().now
    return station


@pytest.mark.parametrize("mode", ["strict", "tolerant", "off"])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_answer_and_effect(row, mode):
    answer = _station(row).ask(row.action, row.request, mode)
    assert answer.payload == row.answer
    assert tuple(map(type, answer.changes)) == row.changes
    assert tuple(answer.event_types) == row.events
    assert answer.deviations == []


def _members(action):
    schema = SCHEMAS._texts[action]
    for name, member in schema["properties"].items():
        yield name, schema["definitions"][member["$ref"].rpartition("/")[2]] if "$ref" in member else member


def test_the_table_is_complete():
    dispatcher = Station().dispatcher
    assert {row.action for row in TABLE} == {name for name in SCHEMAS.actions if dispatcher.handles(name)}


ELSEWHERE = {"connectorId": 1, "status": "Available", "info": "i", "currentTime": AT, "requestId": 4, "idTag": "X"}
"""Members that other messages have."""


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_member_of_another_message_is_a_deviation(row):
    """Extra members are tolerated, also where another message knows them (field notes, enums and text)."""
    extra = {name: value for name, value in ELSEWHERE.items() if name not in SCHEMAS._texts[row.action]["properties"]}
    answer = _station(row).ask(row.action, {**row.request, **extra, "vendorExtra": {"a": [1]}})
    assert answer.payload == row.answer
    assert tuple(answer.event_types) == row.events
    assert answer.deviations


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_an_unknown_member_is_refused_in_strict_mode(row):
    answer = _station(row).ask(row.action, {**row.request, "vendorExtra": 1}, "strict")
    assert answer.code == "FormationViolation"
    assert answer.changes == []


@pytest.mark.parametrize("mode", ["strict", "tolerant", "off"])
@pytest.mark.parametrize("row", [row for row in TABLE if row.request], ids=str)
def test_a_missing_member_is_refused_in_every_mode(row, mode):
    for name in SCHEMAS._texts[row.action]["required"]:
        request = {key: value for key, value in row.request.items() if key != name}
        assert _station(row).ask(row.action, request, mode).code == "ProtocolError", name


@pytest.mark.parametrize("row", [row for row in TABLE if row.request], ids=str)
def test_a_wrong_structure_is_refused(row):
    for name in row.request:
        answer = _station(row).ask(row.action, {**row.request, name: {"a": 1}})
        assert answer.code == "TypeConstraintViolation", name


@pytest.mark.parametrize("row", [row for row in TABLE if row.request], ids=str)
def test_a_number_in_place_of_a_text_is_a_deviation(row):
    for name, schema in _members(row.action):
        if schema["type"] == "string" and name in row.request:
            answer = _station(row).ask(row.action, {**row.request, name: 12345})
            assert set(answer.payload) == set(row.answer), name
            assert answer.deviations, name


@pytest.mark.parametrize("row", [row for row in TABLE if row.request], ids=str)
def test_an_enum_beyond_the_specification(row):
    """Tolerated and named; refused in strict mode (lbbrhzn#1248)."""
    for name, schema in _members(row.action):
        if "enum" not in schema:
            continue
        answer = _station(row).ask(row.action, {**row.request, name: "Vendor.Own"})
        assert answer.payload == row.answer
        assert any("Vendor.Own" in deviation for deviation in answer.deviations)
        strict = _station(row).ask(row.action, {**row.request, name: "Vendor.Own"}, "strict")
        assert strict.code == "PropertyConstraintViolation"
