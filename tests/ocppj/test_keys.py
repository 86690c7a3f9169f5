"""Member names of every schema of 1.6, to snake_case and back."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

import pytest
from ocpp.charge_point import camel_to_snake_case

from csms.ocppj.keys import KeyNames
from csms.ocppj.schemas import Schemas
from csms.ocppj.versions import V16

SCHEMAS = Schemas(V16)
FILES = sorted((importlib.resources.files(V16.package) / "schemas").iterdir(), key=lambda file: file.name)


def member_names(schema: Any) -> Iterator[str]:
    """Walk through a schema; ``properties`` may itself be the name of a member, so only its place tells."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for item in schema.values():
            yield from member_names(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from member_names(item)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_member_name_comes_back(file: Traversable) -> None:
    names = list(member_names(json.loads(file.read_text(encoding="utf-8-sig"))))
    message = {name: index for index, name in enumerate(names)}
    assert SCHEMAS.keys.to_camel(SCHEMAS.keys.to_snake(message)) == message


def test_all_schemas_of_the_library_are_known() -> None:
    assert len(FILES) >= 2 * 28
    assert {
        "BootNotification",
        "StartTransaction",
        "SecurityEventNotification",
        "ExtendedTriggerMessage",
    } <= SCHEMAS.actions


def test_names_are_those_that_the_library_gives_its_dataclasses() -> None:
    message = {"chargePointVendor": 1, "idTagInfo": 2, "csChargingProfiles": 3, "iccid": 4}
    assert SCHEMAS.keys.to_snake(message) == camel_to_snake_case(message)


def test_names_are_converted_at_every_depth_and_values_never() -> None:
    wire = {
        "connectorId": 1,
        "meterValue": [{"timestamp": "meterValue", "sampledValue": [{"value": "idTag", "unit": "Wh"}]}, {}],
    }
    snake = {
        "connector_id": 1,
        "meter_value": [{"timestamp": "meterValue", "sampled_value": [{"value": "idTag", "unit": "Wh"}]}, {}],
    }
    assert SCHEMAS.keys.to_snake(wire) == snake
    assert SCHEMAS.keys.to_camel(snake) == wire


def test_members_that_no_schema_knows_are_left_out_for_handlers() -> None:
    assert SCHEMAS.keys.to_snake({"idTag": "A", "vendorExtra": {"idTag": "B"}, "self": 1}) == {"id_tag": "A"}


def test_members_that_are_none_do_not_go_out() -> None:
    keys = KeyNames(["idTagInfo", "status", "expiryDate"])
    answer = {"id_tag_info": {"status": "Accepted", "expiry_date": None}}
    assert keys.to_camel(answer) == {"idTagInfo": {"status": "Accepted"}}


def test_a_name_of_ours_that_no_schema_knows_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        KeyNames(["status"]).to_camel({"statos": 1})
