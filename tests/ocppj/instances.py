"""Instances of the schemas that the `ocpp` library ships, and of what is wrong with them: at random, by a seed.

The keywords that those schemas use are few, so this is quicker by far than a general generator, and it knows what breaks
programs: the ends of ranges, ids that come again, times of other centuries, hostile texts.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

from csms.ocppj.versions import Version

TEXTS = ["A", "TAG1", "x", "1", "-7.25", "", " ", "é€𝄞", "<b>", "a/+#", "\u202e\u0007", "NaN", "null", "'; --"]
TIMES = [
    "2026-03-01T12:00:00Z",
    "2026-03-01T11:30:00.123456789Z",
    "2026-03-01T13:00:00+01:00",
    "2026-03-01T11:59:59",
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "noon",
]
INTEGERS = [0, 1, 1, 2, 2, 3, 7, 42, -1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)]
NUMBERS: list[float] = [0, 1, 2.5, 16.1, -1, 0.001, 1e-300, 1e300, 2**53 + 1, 123456.789]
_MOST_ITEMS = 3


@cache
def schema_of(version: Version, name: str) -> dict[str, Any]:
    """Return the schema of a message: ``Heartbeat`` or ``HeartbeatResponse``."""
    folder = importlib.resources.files(version.package) / "schemas"
    for file in (folder / f"{name}.json", folder / f"{name}Request.json"):
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8-sig"))
    raise KeyError(name)


def instance(schema: dict[str, Any], random: Random) -> Any:
    """Return a payload that fits."""
    return _value(schema, schema.get("definitions", {}), random)


def _value(schema: dict[str, Any], definitions: dict[str, Any], random: Random, depth: int = 0) -> Any:
    schema = _resolved(schema, definitions)
    if "enum" in schema:
        return random.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            often = random.random() / (1 + depth)
            return {
                name: _value(member, definitions, random, depth + 1)
                for name, member in schema.get("properties", {}).items()
                if name in required or random.random() < often
            }
        case "array":
            most = min(schema.get("maxItems", _MOST_ITEMS), max(_MOST_ITEMS, schema.get("minItems", 0)))
            count = random.randint(min(schema.get("minItems", 0), most), most)
            return [_value(schema["items"], definitions, random, depth + 1) for _ in range(count)]
        case "string" if schema.get("format") == "date-time":
            return random.choice(TIMES)
        case "string":
            longest = schema.get("maxLength", 5000)
            return random.choice([*TEXTS, "w" * min(longest, 3000)])[:longest]
        case "integer":
            return random.choice([number for number in INTEGERS if _in_range(number, schema)])
        case "number":
            return random.choice([number for number in NUMBERS if _in_range(number, schema)])
        case "boolean":
            return random.random() < 0.5
        case None:
            return random.choice([None, 1, "x", [], {"a": 1}])
        case other:
            raise ValueError(f"no values of type {other}")


def _in_range(number: float, schema: dict[str, Any]) -> bool:
    return schema.get("minimum", number) <= number <= schema.get("maximum", number)


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _objects(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[tuple[dict, dict]]:
    """Yield each object inside of a payload with its schema."""
    schema = _resolved(schema, definitions)
    if isinstance(value, dict):
        yield value, schema
        for name, member in value.items():
            yield from _objects(member, schema.get("properties", {}).get(name, {}), definitions)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item, schema.get("items", {}), definitions)


def without_a_member(payload: Any, schema: dict[str, Any], random: Random) -> Any | None:
    """Return a copy that lacks one required member somewhere, None where nothing is required."""
    payload = deepcopy(payload)
    places = [
        (value, name)
        for value, known in _objects(payload, schema, schema.get("definitions", {}))
        for name in known.get("required", [])
    ]
    if not places:
        return None
    value, name = random.choice(places)
    del value[name]
    return payload


def with_a_wrong_type(payload: Any, schema: dict[str, Any], random: Random) -> Any | None:
    """Return a copy where one member is of a type that nobody can take for the right one."""
    payload = deepcopy(payload)
    definitions = schema.get("definitions", {})
    places = [
        (value, name, _resolved(known["properties"][name], definitions))
        for value, known in _objects(payload, schema, definitions)
        for name in value
        if name in known.get("properties", {})
    ]
    places = [place for place in places if "type" in place[2]]
    if not places:
        return None
    value, name, known = random.choice(places)
    value[name] = random.choice([[], None]) if known["type"] != "array" else random.choice([{}, None, "x"])
    return payload


def with_a_further_member(payload: Any, schema: dict[str, Any], random: Random) -> Any:
    """Return a copy with a member that the schema forbids."""
    payload = deepcopy(payload)
    closed = [
        value
        for value, known in _objects(payload, schema, schema.get("definitions", {}))
        if known.get("additionalProperties") is False
    ]
    random.choice(closed)["furtherMember"] = 1
    return payload
