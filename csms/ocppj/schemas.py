"""Payloads against the JSON Schemas that the `ocpp` library ships, compiled once by jsonschema-rs.

In ``strict`` mode every fault is an error. In ``tolerant`` mode what real charge points get wrong without doing harm (a
value beyond an enumeration, an overlong text, a further member, 0 for false, a fractional number) is a *deviation*: it is
accepted and named. A missing member or a wrong structure is an error in both. ``off`` looks only at the structure.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import jsonschema_rs

from csms.ocppj.keys import KeyNames
from csms.ocppj.versions import Version

Mode = Literal["strict", "tolerant", "off"]

_MAX_DEVIATIONS = 20
_TOLERATED = {"enum", "maxLength", "additionalProperties", "maxItems", "format", "multipleOf", "pattern", "minLength"}
_REQUEST = "Request"
_RESPONSE = "Response"


class BadPayload(ValueError):
    """A payload against its schema. ``code`` is the CALLERROR code in the spelling of the version."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class Schemas:
    """The schemas of one OCPP version: which actions there are, and whether a payload fits.

    Each schema is compiled when it is first needed.
    """

    def __init__(self, version: Version) -> None:
        self._version = version
        self._texts: dict[str, Any] = {}
        folder = importlib.resources.files(version.package) / "schemas"
        for entry in folder.iterdir():
            if entry.name.endswith(".json"):
                name = entry.name.removesuffix(".json").removesuffix(_REQUEST)
                self._texts[name] = json.loads(entry.read_text(encoding="utf-8-sig"))
        self.actions = frozenset(name for name in self._texts if not name.endswith(_RESPONSE))
        self.keys = KeyNames(name for name, _ in _members(list(self._texts.values())))
        self._other_types, self._strings = _split_by_type(self._texts.values())
        self._compiled: dict[str, jsonschema_rs.Draft4Validator | jsonschema_rs.Draft6Validator] = {}

    def compile_for(self, actions: Iterable[str]) -> None:
        """Compile the requests of these actions now, so that no charge point waits for it."""
        for action in actions:
            if action not in self._compiled:
                self._compile(action)

    def has_response(self, action: str) -> bool:
        """Tell whether the specification has an answer to an action; what has none is sent without waiting for one."""
        return action + _RESPONSE in self._texts

    def check_request(self, action: str, payload: dict[str, Any], mode: Mode) -> tuple[str, ...]:
        """Return the deviations of a request, none for nearly all: ``path: keyword of the schema: what is wrong``.

        :raises BadPayload: the payload does not fit, and `mode` does not tolerate how.
        :raises KeyError: there is no such action.
        """
        validator = self._compiled.get(action)
        if validator is not None and validator.is_valid(payload):
            return ()
        return self._check(action, payload, mode)

    def check_response(self, action: str, payload: dict[str, Any], mode: Mode) -> tuple[str, ...]:
        """Return the deviations of a response; otherwise as `check_request`."""
        return self._check(action + _RESPONSE, payload, mode)

    def with_texts(self, value: Any, name: str = "") -> Any:
        """Return a copy of a payload with deviations where a number that was let pass in place of a text is that text."""
        if type(value) is dict:
            return {key: self.with_texts(item, key) for key, item in value.items()}
        if type(value) is list:
            return [self.with_texts(item, name) for item in value]
        if type(value) in (int, float) and name in self._strings and name not in self._other_types:
            return str(value)
        return value

    def _check(self, name: str, payload: dict[str, Any], mode: Mode) -> tuple[str, ...]:
        validator = self._compiled.get(name) or self._compile(name)
        if validator.is_valid(payload):
            return ()
        deviations: list[str] = []
        for error in validator.iter_errors(payload):
            path = ".".join(map(str, error.instance_path))
            where, message = path or "payload", error.message[:120]
            if mode == "strict" or not _tolerable(error):
                raise BadPayload(self._code(error), f"{where}: {message}")
            if len(deviations) < _MAX_DEVIATIONS:
                deviations.append(f"{where}: {error.kind.name}: {message}")
        return tuple(deviations)

    def _compile(self, name: str) -> jsonschema_rs.Draft4Validator | jsonschema_rs.Draft6Validator:
        validator = jsonschema_rs.validator_for(self._texts[name], validate_formats=False)
        self._compiled[name] = validator  # type: ignore[assignment]
        return validator  # type: ignore[return-value]

    def _code(self, error: jsonschema_rs.ValidationError) -> str:
        """Return the CALLERROR code for a fault (OCPP-J 1.6 §4.2.3)."""
        match error.kind.name:
            case "type":
                return "TypeConstraintViolation"
            case "required":
                return "ProtocolError"
            case "additionalProperties":
                return self._version.format_violation
            case "minItems" | "maxItems":
                return self._version.occurrence_violation
            case _:
                return "PropertyConstraintViolation"


@functools.cache
def schemas_of(version: Version) -> Schemas:
    """Return the schemas of a version, made once in a process: that takes a tenth of a second."""
    return Schemas(version)


def _tolerable(error: jsonschema_rs.ValidationError) -> bool:
    if error.kind.name in _TOLERATED:
        return True
    if error.kind.name != "type":
        return False
    expected, instance = error.kind.as_dict().get("types", []), error.instance
    if isinstance(instance, bool):
        return False
    if "boolean" in expected:
        return instance in (0, 1)
    if "integer" in expected:
        return isinstance(instance, float | int)
    if "string" in expected:
        return isinstance(instance, float | int)
    return False


def _split_by_type(schemas: Iterable[Any]) -> tuple[set[str], set[str]]:
    """Return the names of members that are anything but a text somewhere, and of those that are texts somewhere."""
    strings: set[str] = set()
    others: set[str] = set()
    for schema in schemas:
        definitions = schema.get("definitions", {})
        for name, member in _members(schema):
            reference = member.get("$ref")
            target = definitions.get(reference.rpartition("/")[2], {}) if reference is not None else member
            target = target.get("items", target) if target.get("type") == "array" else target
            (strings if target.get("type") == "string" else others).add(name)
    return others, strings


def _members(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties.items()
        for item in schema.values():
            yield from _members(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _members(item)
