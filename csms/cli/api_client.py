"""The daemon's HTTP API as the command line uses it (shared by all command groups).

Every way in which a request can fail becomes a `Fault` with one line and an exit status. The token is in no message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Self
from urllib.parse import quote

import click
import httpx
from attrs import frozen

from csms.cli.address import Address, address
from csms.cli.faults import Fault, Status

PAGE = 500
"""The most that the API gives at once."""
_CONNECT_S = 5.0
_READ_S = 30.0
_LONGEST_DETAIL = 1000
_STATUSES = {
    401: Status.NOT_ALLOWED,
    403: Status.NOT_ALLOWED,
    404: Status.NOT_FOUND,
    410: Status.NOT_FOUND,
    429: Status.NOT_NOW,
    502: Status.CALL_ERROR,
    503: Status.NOT_NOW,
    504: Status.UNANSWERED,
}


class Api:
    """A client of the API. Paths are given as segments: ``("chargepoints", client_id)``."""

    def __init__(self, where: Address, *, connect_s: float = _CONNECT_S, read_s: float = _READ_S) -> None:
        self.url = where.url
        self._has_token = where.token is not None
        self._timeout = httpx.Timeout(read_s, connect=connect_s)
        self._client = httpx.Client(
            headers={b"Authorization": b"Bearer " + where.token.encode()} if where.token else {},
            timeout=self._timeout,
            verify=where.tls(),
            # Whatever proxy the environment names, this machine is reached without.
            trust_env=not where.is_here,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, *path: str, **parameters: Any) -> dict[str, Any]:
        """Get a document."""
        return self.request("GET", path, parameters=parameters)

    def put(self, *path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Put a document."""
        return self.request("PUT", path, content=json.dumps(body).encode())

    def delete(self, *path: str) -> None:
        """Delete something."""
        self.request("DELETE", path)

    def request(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        parameters: dict[str, Any] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        read_s: float | None = None,
    ) -> dict[str, Any]:
        """Send a request; return the JSON object of its answer, {} where it is empty.

        :raises Fault: it failed.
        """
        sent = {"Accept": "application/json", **({"Content-Type": "application/json"} if content is not None else {})}
        answer = self._send(method, path, parameters, content, {**sent, **(headers or {})}, read_s)
        if not answer.content:
            return {}
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._strange(answer)
        return document

    def text(self, *path: str, accept: str) -> bytes:
        """Get a document that is no JSON, byte for byte."""
        return self._send("GET", path, None, None, {"Accept": accept}, None).content

    def pages(self, *path: str, limit: int | None, cursor: str | None = None, **parameters: Any) -> Iterator[Page]:
        """Get a list page by page; `limit` is how many items at most, None is all."""
        left = limit
        while True:
            wanted = PAGE if left is None else min(PAGE, left)
            document = self.get(*path, **parameters, limit=wanted, cursor=cursor)
            items, before, cursor = items_of(document), cursor, document.get("next")
            yield Page(items, cursor)
            if left is not None:
                left -= len(items)
            if cursor is None or cursor == before or (left is not None and left <= 0):
                return

    def listing(self, *path: str, limit: int | None, cursor: str | None = None, **parameters: Any) -> Page:
        """Get a list as one page; `limit` is how many items at most, None is all."""
        pages = list(self.pages(*path, limit=limit, cursor=cursor, **parameters))
        return Page([item for page in pages for item in page.items], pages[-1].cursor)

    @contextmanager
    def stream(
        self, *path: str, headers: dict[str, str], silence_s: float, **parameters: Any
    ) -> Iterator[Iterator[bytes]]:
        """Open an answer that goes on; give its pieces as they come.

        :raises Fault: there is no such answer.
        :raises httpx.TransportError: it broke off.
        """
        timeout = httpx.Timeout(silence_s, connect=_CONNECT_S)
        with self._client.stream(
            "GET", self._address(path), params=_present(parameters), headers=headers, timeout=timeout
        ) as answer:
            if not answer.is_success:
                answer.read()
                raise self._refused(answer)
            if not answer.headers.get("content-type", "").startswith(headers["Accept"]):
                raise self._strange(answer)
            yield answer.iter_bytes()

    def _send(
        self,
        method: str,
        path: tuple[str, ...],
        parameters: dict[str, Any] | None,
        content: bytes | None,
        headers: dict[str, str],
        read_s: float | None,
    ) -> httpx.Response:
        timeout = self._timeout if read_s is None else httpx.Timeout(read_s, connect=_CONNECT_S)
        try:
            answer = self._client.request(
                method,
                self._address(path),
                params=_present(parameters or {}),
                content=content,
                headers=headers,
                timeout=timeout,
            )
        except httpx.TransportError as error:
            raise self.broken(error, reading=method == "GET") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Fault(f"{self.url}: {error}") from None
        if not answer.is_success:
            raise self._refused(answer)
        return answer

    def _address(self, path: tuple[str, ...]) -> str:
        return "/".join([self.url, "api", "v1", *map(_segment, path)])

    def broken(self, error: httpx.TransportError, *, reading: bool = True) -> Fault:
        """Return the fault for a connection that failed; unless it was only to read, what came of it may be unknown."""
        reason = str(error).partition("] ")[2] or str(error) or "no answer in time"
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)):
            return Fault(f"{self.url} cannot be reached: {reason}", Status.UNREACHABLE)
        timed_out = isinstance(error, httpx.TimeoutException)
        message = f"{self.url} did not answer in time" if timed_out else f"the connection to {self.url} was lost"
        return Fault(message if reading else f"{message}: whether it was done is not known", Status.UNANSWERED)

    def _refused(self, answer: httpx.Response) -> Fault:
        """Return the fault for an answer that is an error (RFC 9457)."""
        detail = _detail(answer)
        if detail is None:
            # A proxy between, or something else altogether.
            status = Status.UNREACHABLE if answer.status_code in {502, 503, 504} else _status(answer.status_code)
            return Fault(f"{self.url} answered {answer.status_code} {answer.reason_phrase}".rstrip(), status)
        if answer.status_code == httpx.codes.UNAUTHORIZED and not self._has_token:
            detail += " (set CSMS_HTTP_TOKEN, or use --token-file)"
        return Fault(detail, _status(answer.status_code))

    def _strange(self, answer: httpx.Response) -> Fault:
        return Fault(f"{self.url} does not answer as csms does (status {answer.status_code})")


@frozen
class Page:
    """Items of a list; ``cursor`` leads to those after them, None is the end."""

    items: list[dict[str, Any]]
    cursor: str | None

    @property
    def document(self) -> dict[str, Any]:
        """The page as the API would give it."""
        return {"items": self.items} if self.cursor is None else {"items": self.items, "next": self.cursor}


def items_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a list.

    :raises Fault: it is none.
    """
    items = document.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Fault("the daemon does not answer as csms does: that is no list")
    return items


def pass_api(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the API as its first argument."""

    @wraps(command)
    def with_api(*arguments: Any, **options: Any) -> Any:
        with Api(address(click.get_current_context())) as api:
            return command(api, *arguments, **options)

    return with_api


def _segment(text: str) -> str:
    # "." and ".." would be taken for a way through the path.
    # Bytes of an argument that are no UTF-8 go as they came.
    return quote(text.encode("utf-8", "surrogateescape"), safe="") if text.strip(".") else text.replace(".", "%2E")


def _present(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _status(code: int) -> Status:
    return _STATUSES.get(code, Status.REFUSED if 400 <= code < 500 else Status.FAILED)


def _detail(answer: httpx.Response) -> str | None:
    try:
        problem = answer.json()
    except ValueError:
        return None
    if not isinstance(problem, dict):
        return None
    detail = problem.get("detail") or problem.get("title")
    return detail[:_LONGEST_DETAIL] if isinstance(detail, str) else None
