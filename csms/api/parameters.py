"""The parameters of paths and queries: their types, and how a request's texts become values of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.api.problems import Problem
from csms.api.routes import Asked
from csms.handlers.families import COMMAND_SETS

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")
_MOST_PARAMETERS = 50
_UNDECODABLE = "surrogateescape"

ClientId = Annotated[str, Meta(min_length=1, max_length=255, description="The charge point's identity")]
Limit = Annotated[int, Meta(ge=1, le=500, description="How many items at most")]
Cursor = Annotated[str, Meta(max_length=1000, description="`next` of the page before")]
TokenName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?!\n)$",
        max_length=64,
        description="A token's name",
        examples=["grafana"],
    ),
]
Time = Annotated[datetime, Meta(tz=True)]

PATH: Mapping[str, Any] = {
    "clientId": ClientId,
    "action": Annotated[
        str,
        Meta(
            min_length=1,
            max_length=50,
            description="The OCPP action, as in OCPP",
            examples=sorted({action for commands in COMMAND_SETS.values() for action in commands.actions}),
        ),
    ],
    "name": Annotated[str, Meta(min_length=1, max_length=100, description="The group's name")],
    "transactionId": Annotated[int, Meta(ge=1, le=2**31 - 1)],
    "requestId": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, description="The number of the request of a report")],
    "reservationId": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "idTag": Annotated[str, Meta(min_length=1, max_length=255)],
    "tariffId": Annotated[str, Meta(min_length=1, max_length=100)],
    "tokenName": TokenName,
}
"""The type of each parameter of a path."""
RESERVED: Mapping[str, tuple[str, ...]] = {"idTag": ("import", "export")}
"""What a parameter cannot be, because a route has that name. Id tags of these names are reached in another case."""


class Listing(Asked, frozen=True):
    """The parameters of every list."""

    limit: Limit = 50
    cursor: Cursor | UnsetType = UNSET


def path_values(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a path's parameters.

    :raises Problem: 404, there can be nothing of that name.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            value = msgspec.convert(text, PATH[name], strict=False)
        except msgspec.ValidationError:
            value = None
        if value is None or _CONTROL.search(text):
            raise Problem(404, f"there is no such {name}")
        values[name] = value
    return values


def query_values(query: bytes, kind: type[Asked]) -> Any:
    """Return a query string as its structure.

    :raises Problem: 400, it does not fit.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii", _UNDECODABLE),
            True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise Problem(400, "the query is not percent-encoded UTF-8, or has too many parameters") from None
    lists, times = _fields_of(kind, list), _fields_of(kind, datetime)
    values: dict[str, Any] = {}
    for name, text in pairs:
        if _CONTROL.search(text):
            raise Problem(400, f"query: {name[:50]}: control characters")
        # As numbers they would be taken for seconds since 1970.
        if name in times and not _TIME.match(text):
            raise Problem(400, f"query: {name}: a time is as in 2030-01-31T12:00:00Z (RFC 3339)")
        if name in lists:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise Problem(400, f"query: {name[:50]}: is there twice")
        else:
            values[name] = text
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, f"query: {_plain(str(error))}") from None


@cache
def _fields_of(kind: type[Asked], of: type) -> frozenset[str]:
    """Return the parameters that are of a type, or of it or something else."""
    hints = get_type_hints(kind)
    return frozenset(
        field.encode_name
        for field in msgspec.structs.fields(kind)
        if of in {get_origin(option) or option for option in (hints[field.name], *get_args(hints[field.name]))}
    )


def _plain(message: str) -> str:
    return message.replace("Object contains unknown field", "there is no parameter").replace(" - at `$.", " - at `")


def utc(value: datetime | UnsetType) -> datetime | None:
    """Return a time in UTC, None where none was given.

    :raises Problem: 400, UTC has no such time.
    """
    if value is UNSET:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Problem(400, "a time is out of range") from None


def given(value: Any) -> Any:
    """Return a value, None where it was not given."""
    return None if value is UNSET else value


def known(value: Any) -> Any:
    """Return a value for an answer, UNSET where it is not known."""
    return UNSET if value is None else value
