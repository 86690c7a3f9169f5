"""docs/schemas: up to date, complete in themselves, and exact about what is always there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from msgspec import Raw
from msgspec.structs import fields

from csms.events import business, protocol, schemas, topics
from tests.events.published import DIRECTORY, check, validator

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SCHEMAS = schemas.all_schemas()
UUID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def started() -> business.BusinessEvent:
    return business.BusinessEvent(
        timestamp=NOW,
        client_id="CP-1",
        event_type="started",
        event_id=f"started_{UUID}",
        payload=business.Started(transaction_id=7, connector_id=1, id_tag="TAG", meter_start=0, start_time=NOW),
        sequence=3,
        gateway_id="gw",
        causation_id=None,
    )


def test_the_files_are_those_that_the_code_makes() -> None:
    """If this fails: python -m csms.events.schemas docs/schemas."""
    assert {path.stem for path in DIRECTORY.iterdir()} == set(SCHEMAS)
    for name, schema in SCHEMAS.items():
        assert (DIRECTORY / f"{name}.json").read_text(encoding="utf-8") == schemas.text(schema), name


def test_the_files_are_written_and_old_ones_go(tmp_path: Any) -> None:
    (tmp_path / "gone.json").write_text("{}")
    schemas.main([str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.json" for name in SCHEMAS}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_complete_in_itself(name: str) -> None:
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    references = set(json.dumps(schema).split('"$ref": "')[1:])
    used = {reference.partition('"')[0].removeprefix("#/$defs/") for reference in references}
    assert used == set(schema.get("$defs", {}))
    assert "csms/" in schema["description"] or "ocpp/" in schema["description"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_further_members_are_never_forbidden(name: str) -> None:
    assert '"additionalProperties": false' not in json.dumps(SCHEMAS[name])


def test_every_payload_has_a_schema_and_a_topic() -> None:
    payloads = set(business.Payload.__args__)
    assert {*schemas.EVENTS.values(), business.SecurityEvent} == payloads
    assert set(topics.FAMILIES) == payloads


OF_STATION = {"evseId", "stationConnectorId", "stationTransactionId"}
"""What only OCPP 2.x tells."""


@pytest.mark.parametrize(
    ("name", "structure", "optional"),
    [
        ("started", business.Started, {"currentMeter", *OF_STATION}),
        ("completed", business.Completed, {"currentMeter", "signedData", *OF_STATION}),
        ("session_cost", business.SessionCost, OF_STATION),
        ("meter_reading", business.MeterReading, {"transactionId", "currentPower", "totalEnergy", *OF_STATION}),
        (
            "status_changed",
            business.StatusChanged,
            {
                *("previousStatus", "transactionId", "errorCode", "info", "vendorId", "vendorErrorCode"),
                *(*OF_STATION, "stationStatus"),
            },
        ),
    ],
)
def test_required_is_exact(name: str, structure: Any, optional: set[str]) -> None:
    """Contracts §3: a field with `?` is absent where it is not known; the others are always there."""
    definition = SCHEMAS[name]["$defs"][structure.__name__]
    assert set(definition["required"]) == {field.encode_name for field in fields(structure)} - optional
    assert set(definition["properties"]) == set(definition["required"]) | optional
    assert set(SCHEMAS[name]["required"]) == set(SCHEMAS[name]["properties"]) - {"supersedes"}


def test_an_event_is_as_promised() -> None:
    assert check(started())["payload"]["meterStart"] == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("payload", "meterStart"), None),
        (("payload", "meterStart"), "0"),
        (("payload", "status"), "begun"),
        (("payload", "startTime"), "2026-03-01T10:00:00+01:00"),
        (("timestamp",), "2026-03-01 10:00:00Z"),
        (("eventType",), "completed"),
        (("eventId",), f"completed_{UUID}"),
        (("eventId",), "started_017f22e2-79b0-4cc3-98c4-dc0c0c07398f"),
        (("causationId",), 17),
    ],
)
def test_a_schema_refuses_what_was_not_promised(path: tuple[str, ...], value: object) -> None:
    body = json.loads(business.encode(started()))
    member = body
    for name in path[:-1]:
        member = member[name]
    member[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validator("started").validate(body)


@pytest.mark.parametrize("member", ["transactionId", "meterStart", "status"])
def test_a_schema_misses_what_is_always_there(member: str) -> None:
    body = json.loads(business.encode(started()))
    del body["payload"][member]
    with pytest.raises(jsonschema.ValidationError):
        validator("started").validate(body)


def test_protocol_events_state_and_status_are_as_promised() -> None:
    body = protocol.ProtocolBody(
        timestamp=NOW,
        client_id="CP-1",
        message_type="Heartbeat",
        request_id="1",
        payload=Raw(b"{}"),
        direction="in",
        gateway_id="gw",
    )
    state = business.ChargePointNow(
        client_id="CP-1", timestamp=NOW, online=True, gateway_id="gw", position=1, connectors=[], transactions=[]
    )
    for name, value in (
        ("protocol_event", body),
        ("charge_point_state", state),
        ("gateway_status", business.GatewayStatus(True)),
    ):
        decoded = json.loads(business.encode(value))
        validator(name).validate(decoded)
        assert set(SCHEMAS[name]["required"]) == set(decoded)
