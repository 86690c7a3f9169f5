"""Checks that what is published is what docs/schemas promise."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from csms.events import business, schemas

DIRECTORY = Path(__file__).parents[2] / "docs" / "schemas"
_RFC_3339_UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time")
def _is_utc_time(value: object) -> bool:
    return not isinstance(value, str) or _RFC_3339_UTC.fullmatch(value) is not None


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """Return a validator for one of the files."""
    schema = json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=_formats)


def check(event: business.BusinessEvent) -> dict[str, Any]:
    """Return the body of an event as a subscriber reads it.

    :raises jsonschema.ValidationError: it is not as promised.
    """
    body: dict[str, Any] = json.loads(business.encode(event))
    is_security = isinstance(event.payload, business.SecurityEvent)
    validator("security_event" if is_security else event.event_type).validate(body)
    if not is_security:
        assert schemas.EVENTS[event.event_type] is type(event.payload)
    return body
