"""The one resource at the root: what stands before every route, whichever app serves it.

The raw path is split first and its segments are decoded once, so that an identity may hold a slash as ``%2F``. Without a
token only requests to a loopback name are answered: a page in a browser on this machine must not command charge points by
a name of its own that it has let point here. Bodies are bounded while they arrive.
"""

from __future__ import annotations

import ipaddress
import re
from io import BytesIO
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from werkzeug.exceptions import HTTPException

from csms.api.access import Access, Bearer
from csms.api.app import escape_segment, problem_of
from csms.api.channel import HttpSite
from csms.api.exchange import write_problem
from csms.api.problems import Problem, unavailable
from csms.api.routes import CSV, MOST_CSV_BYTES, MOST_JSON_BYTES
from csms.store.errors import StoreUnavailable

_API = b"api"
_GUARDED = frozenset({_API, b"metrics"})
"""What asks for a token, by the first segment of the path."""
_MOST_SPILLED_BYTES = 64 * 1024 * 1024
"""What is too long is read on for so long, so that its sender gets to read why it was refused."""
_HOST = re.compile(r"\[(?P<ipv6>[0-9a-f:.]+)\](:\d*)?|(?P<name>[^:\[\]]*)(:\d*)?")
_READING = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_log = Logger()


class Root(Resource):
    """Serves the API below ``/api``, and the supervisor's questions beside it."""

    isLeaf = True

    def __init__(self, api: Klein, health: Klein, access: Access) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._api = api.resource()
        self._health = health.resource()
        self.access = access

    def render(self, request: Any) -> Any:
        try:
            segments = _segments(request.path)
            request.prepath, request.postpath = [], segments
            if segments[0] in _GUARDED and request.bearing is not None:
                request.bearing.addCallback(lambda _: request.render(self) if request.channel is not None else None)
                return NOT_DONE_YET
            if segments[0] == _API:
                self._admit(request)
                return self._api.render(request)
            if segments[0] in _GUARDED:
                _demand_token(request)
            return self._health.render(request)
        except Problem as problem:
            return write_problem(request, problem)
        except HTTPException as error:
            return write_problem(request, problem_of(error))
        except Exception:  # noqa: BLE001 - twisted.web would answer with a page of its own
            _log.failure("a request failed")
            return write_problem(request, Problem(500, "the daemon failed; its log says more"))

    def _admit(self, request: Any) -> None:
        if self.access.is_open and not _is_loopback(request.getHeader(b"host") or b""):
            raise Problem(421, "without http.token only a loopback name in the URL is answered")
        if request.method not in _READING and _is_of_another_site(request):
            raise Problem(403, "a page of another site may not ask for this")
        _demand_token(request)
        if request.is_too_long:
            raise Problem(413, "the body is too long", headers=[("connection", "close")])


class BoundedRequest(Request):
    """A request whose body is held in memory, but not more of it than may be; of strangers, nothing."""

    is_too_long = False
    bearer: Bearer | None = None
    """Who asks, None for a stranger."""
    bearing: Deferred[None] | None = None
    """Fires when the bearer is known; None once that is so."""
    failure: Failure | None = None
    """Why the bearer cannot be known."""
    _most = 0
    _received = 0
    _keeps = True

    def gotLength(self, length: int | None) -> None:
        media = (self.requestHeaders.getRawHeaders(b"content-type") or [b""])[0]
        self._most = MOST_CSV_BYTES if media.startswith(CSV.encode()) else MOST_JSON_BYTES
        self.is_too_long = length is not None and length > self._most
        self.content = self._kept = BytesIO()
        access: Access = cast(Any, self.channel).site.resource.access
        # Until it has fired the body is kept: the ledger says in a moment whose it is.
        bearing = access.bearer(cast(IRequest, self)).addCallbacks(self._is_of, self._is_unknown)
        if not bearing.called:
            self.bearing = bearing

    def _is_of(self, bearer: Bearer | None) -> None:
        self.bearing, self.bearer = None, bearer
        if bearer is None:
            self._forget()

    def _is_unknown(self, failure: Failure) -> None:
        self.bearing, self.failure = None, failure
        self._forget()

    def _forget(self) -> None:
        self._keeps = False
        self._kept.seek(0)
        self._kept.truncate()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._most:
            self.is_too_long = True
            self._forget()
            if self._received > _MOST_SPILLED_BYTES:
                self.channel.forceAbortClient()
        elif self._keeps:
            self._kept.write(data)


def make_site(root: Root) -> HttpSite:
    """Return the site of a root."""
    site = HttpSite(root, requestFactory=BoundedRequest, parsePOSTFormSubmission=False)  # type: ignore[no-untyped-call]
    site.displayTracebacks = False
    site.noisy = False
    # Supervisors and Prometheus ask every few seconds: that is nothing for a log.
    site.log = lambda request: None  # type: ignore[method-assign]  # noqa: ARG005
    return site


def _segments(path: bytes) -> list[bytes]:
    """Split the raw path, and decode each segment once.

    :raises Problem: 400, a segment is not UTF-8.
    """
    try:
        return [escape_segment(unquote_to_bytes(part).decode("utf-8")).encode() for part in path[1:].split(b"/")]
    except UnicodeDecodeError:
        raise Problem(400, "the path is not UTF-8") from None


def _demand_token(request: Any) -> None:
    """Refuse strangers.

    :raises Problem: 401; 503 where it cannot be told whether somebody is one.
    """
    if request.failure is not None:
        if request.failure.check(StoreUnavailable) is None:
            _log.failure("the tokens cannot be read", failure=request.failure)
        raise unavailable("the ledger cannot be used now")
    if request.bearer is None:
        raise Problem(401, "a bearer token is needed", headers=[("www-authenticate", "Bearer")])


def _is_of_another_site(request: Any) -> bool:
    """Tell whether a browser sends this for a page of another site; what is no browser names no origin."""
    origin: bytes | None = request.getHeader(b"origin")
    return origin is not None and origin.partition(b"://")[2] != (request.getHeader(b"host") or b"")


def _is_loopback(host: bytes) -> bool:
    """Tell whether a Host header names this machine; only programs that are no browser send none."""
    found = _HOST.fullmatch(host.decode("latin-1").strip().lower())
    if found is None:
        return False
    name = found["ipv6"] or found["name"] or ""
    if name in {"", "localhost", "localhost."} or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
