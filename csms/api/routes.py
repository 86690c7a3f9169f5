"""What a route of the API is: from it the Klein route is made, and its part of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import Factory, define, field, frozen
from msgspec import Struct
from twisted.web.iweb import IRequest

from csms.store.tokens import Role

JSON = "application/json"
CSV = "text/csv"
EVENT_STREAM = "text/event-stream"
PREFIX = "/api/v1"
MOST_JSON_BYTES = 1024 * 1024
MOST_CSV_BYTES = 8 * 1024 * 1024


class Shown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A structure of an answer: a member that is not known is UNSET, and left out."""


class Asked(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A structure of a request, its query or its body: what is not known here is refused."""


class NoQuery(Asked, frozen=True):
    """A query without parameters."""


@define(eq=False)
class Exchange:
    """A request that was understood: its parts in the types of its route."""

    request: IRequest
    path: Mapping[str, Any]
    query: Any
    body: Any


@frozen
class Answer:
    """An answer: a structure (JSON), bytes of another media type, or nothing."""

    body: Any = None
    status: int = 200
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@frozen
class Body:
    """What a request carries: JSON of a type, or text of another media type."""

    kind: Any
    media: str = JSON
    most_bytes: int = MOST_JSON_BYTES
    required: bool = True
    """Where it is not, a request without a body has what the type has by itself."""


@frozen
class Header:
    """A request header that means something to a route."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(factory=lambda: {"type": "string"})


@frozen(eq=False)
class Route:
    """One operation. ``path`` is below the prefix, with its parameters in braces.

    ``answers`` has the type of each answer that is no problem, None where there is no body, and ``media`` other media types
    that a 200 can have. A handler that has written its answer itself returns None. ``role`` is what a token needs for it: to
    read for a GET and admin for everything else, where the route does not name another.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[Exchange], Awaitable[Answer | None]]
    answers: Mapping[int, Any]
    query: type[Asked] = NoQuery
    body: Body | None = None
    problems: tuple[int, ...] = ()
    headers: tuple[Header, ...] = ()
    media: tuple[str, ...] = ()
    role: Role = Factory(lambda route: "read" if route.method == "GET" else "admin", takes_self=True)

    @property
    def offers(self) -> tuple[str, ...]:
        """The media types that it answers with."""
        return (*((JSON,) if self.offers_json else ()), *self.media)

    @property
    def offers_json(self) -> bool:
        """Whether it answers with JSON."""
        return any(kind not in {None, str} for kind in self.answers.values())
