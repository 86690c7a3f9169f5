"""The description is that of the routes that are there, and of the answers that they give."""

from __future__ import annotations

import re

import jsonschema
import pytest
from msgspec import Struct
from pytest_twisted import ensureDeferred

from csms.api.api import make_routes
from csms.api.app import make_app
from csms.api.openapi import document
from csms.api.routes import PREFIX
from tests.api.test_resources import charge

_ADDED_BY_WERKZEUG = {"HEAD"}


@ensureDeferred
async def test_every_route_is_described_and_every_description_is_a_route(desk):
    described = (await desk.http.get("/api/v1/openapi.json")).json
    operations = {
        (path, method.upper()) for path, item in described["paths"].items() for method in item if method != "parameters"
    }
    app = make_app(make_routes(desk.parts))
    routed = {
        (re.sub(r"<segment(?:\(.*?\))?:(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - _ADDED_BY_WERKZEUG
    }
    assert operations == routed
    for path, item in described["paths"].items():
        for operation in item.values():
            names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
            assert names == re.findall(r"{(\w+)}", path)
    ids = [operation["operationId"] for item in described["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids)) == len(app.endpoints)


@ensureDeferred
async def test_no_two_structures_share_a_name(desk):
    """They would share a schema in the description, too."""
    routes = make_routes(desk.parts)
    kinds = {
        kind
        for route in routes
        for kind in route.answers.values()
        if isinstance(kind, type) and issubclass(kind, Struct)
    }
    assert len({kind.__name__ for kind in kinds}) == len(kinds)


@ensureDeferred
async def test_all_references_lead_somewhere(desk):
    described = document(make_routes(desk.parts))
    components = described["components"]["schemas"]
    references = set(re.findall(r"'#/components/schemas/(\w+)'", repr(described)))
    assert references <= components.keys()
    for schema in components.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@ensureDeferred
async def test_what_an_answer_always_has_is_required(desk):
    components = document(make_routes(desk.parts))["components"]["schemas"]
    assert set(components["ShownTransaction"]["required"]) == {
        "transactionId", "clientId", "connectorId", "idTag", "status", "startTime", "meterStart", "energyUsed", "quality",
    }  # fmt: skip
    assert components["ProblemBody"]["required"] == ["type", "title", "status", "detail"]
    assert components["TagEntry"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/chargepoints", "ChargePointPage"),
        ("/chargepoints/CP1", "ShownChargePoint"),
        ("/transactions", "TransactionPage"),
        ("/transactions/1", "ShownTransaction"),
        ("/transactions/1/readings", "ReadingPage"),
        ("/events", "EventPage"),
        ("/chargepoints/CP2", "ProblemBody"),
    ],
)
@ensureDeferred
async def test_answers_are_as_described(desk, target, name):
    await charge(desk)
    described = (await desk.http.get("/api/v1/openapi.json")).json
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    jsonschema.Draft202012Validator(schema).validate((await desk.http.get(PREFIX + target)).json)
