"""Problem details: how every error of the API is told (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

import orjson
from msgspec import Struct, field

MEDIA = "application/problem+json"


class ProblemBody(Struct, frozen=True, kw_only=True):
    """Why a request was not done (RFC 9457); further members say more about some problems."""

    type: Literal["about:blank"] = field(name="type", default="about:blank")
    title: str
    status: int
    detail: str


class Problem(Exception):
    """A request cannot be done; ``members`` are further members of the problem's body."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        members: Mapping[str, object] | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = dict(members or {})
        self.headers = tuple(headers)

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    @property
    def body(self) -> dict[str, Any]:
        """What is said of it."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def encode(self) -> bytes:
        """Return the body as JSON."""
        return orjson.dumps(self.body)


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there."""
    return Problem(404, f"{what} is not known")


def unprocessable(path: str, detail: str) -> Problem:
    """Return the problem of a body that is JSON but not what is wanted; ``path`` names the member."""
    return Problem(422, f"{path}: {detail}", members={"path": path})


def unavailable(detail: str, retry_after_s: int = 5) -> Problem:
    """Return the problem of what cannot be done just now."""
    return Problem(503, detail, headers=[("retry-after", str(retry_after_s))])
