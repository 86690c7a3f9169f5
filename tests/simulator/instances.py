"""Instances of the schemas that the `ocpp` library ships, made by Hypothesis."""

from __future__ import annotations

import importlib.resources
import json
from functools import cache

from hypothesis import strategies as st

TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
TEXT = st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")
FEW = 3


@cache
def requests_of(version, action):
    """Return a strategy for the requests of an action: every required member, and any of the others."""
    suffix = "" if version.name == "1.6" else "Request"
    path = importlib.resources.files(version.package) / "schemas" / f"{action}{suffix}.json"
    schema = json.loads(path.read_text(encoding="utf-8-sig"))
    return _strategy(schema, schema.get("definitions", {}))


def _strategy(schema, definitions):
    if "$ref" in schema:
        return _strategy(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            return _objects(schema, definitions)
        case "array":
            least = schema.get("minItems", 0)
            most = min(schema.get("maxItems", FEW), max(least, FEW))
            return st.lists(_strategy(schema["items"], definitions), min_size=least, max_size=most)
        case "string" if schema.get("format") == "date-time":
            return TIMES
        case "string":
            return st.text(TEXT, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 20), 20))
        case "integer":
            return st.integers(int(schema.get("minimum", -(2**31))), int(schema.get("maximum", 2**31 - 1)))
        case "number":
            return st.integers(int(schema.get("minimum", -1000)), int(schema.get("maximum", 1000)))
        case "boolean":
            return st.booleans()
    return st.one_of(st.none(), st.booleans(), st.text(TEXT, max_size=5))


def _objects(schema, definitions):
    required = set(schema.get("required", ()))
    members = {
        name: _strategy(member, definitions)
        for name, member in schema.get("properties", {}).items()
        if name != "customData"
    }
    return st.fixed_dictionaries(
        {name: members[name] for name in members if name in required},
        optional={name: members[name] for name in members if name not in required},
    )
