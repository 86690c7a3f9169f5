"""The Klein app of the API, made from its table of routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map

from csms.api.access import Bearer
from csms.api.exchange import understand, write, write_problem
from csms.api.parameters import RESERVED
from csms.api.problems import Problem, unavailable
from csms.api.routes import PREFIX, Route
from csms.store.errors import StoreUnavailable

_PARAMETER = re.compile(r"\{(\w+)\}")
_log = Logger()


class Segment(BaseConverter):
    """One segment of a path as `csms.api.root` hands it on: decoded, but that % and / stay encoded."""

    def __init__(self, url_map: Map, *reserved: str) -> None:
        super().__init__(url_map)
        # Names that have a route of their own beside this one.
        self.regex = f"(?!(?:{'|'.join(reserved)})$)[^/]+" if reserved else "[^/]+"

    def to_python(self, value: str) -> str:
        return value.replace("%2F", "/").replace("%25", "%")

    def to_url(self, value: Any) -> str:
        return escape_segment(str(value))


def escape_segment(text: str) -> str:
    """Return a decoded segment of a path as one that holds no slash."""
    return text.replace("%", "%25").replace("/", "%2F")


def rule(path: str) -> str:
    """Return the werkzeug rule of a route's path."""
    return PREFIX + _PARAMETER.sub(_converter, path)


def _converter(found: re.Match[str]) -> str:
    reserved = RESERVED.get(found[1], ())
    return f"<segment({','.join(map(repr, reserved))}):{found[1]}>" if reserved else f"<segment:{found[1]}>"


def make_app(routes: Iterable[Route]) -> Klein:
    """Return the app that serves these routes."""
    app = Klein()
    app.url_map.converters["segment"] = Segment
    app.url_map.merge_slashes = False
    for route in routes:
        app.route(rule(route.path), methods=[route.method], endpoint=route.name)(_endpoint(route))
    handle_unknown(app)
    return app


def _endpoint(route: Route) -> Callable[..., Deferred[bytes | None]]:
    def endpoint(request: IRequest, **texts: str) -> Deferred[bytes | None]:
        return Deferred.fromCoroutine(_serve(route, request, texts))

    endpoint.__name__ = route.name
    return endpoint


async def _serve(route: Route, request: IRequest, texts: dict[str, str]) -> bytes | None:
    try:
        _demand_role(route, cast(Any, request).bearer)
        answer = await route.handler(understand(route, request, texts))
        return write(request, answer) if answer is not None else None
    except Problem as problem:
        return write_problem(request, problem)
    except StoreUnavailable as error:
        _log.warn("{operation}: the ledger is away: {error}", operation=route.name, error=str(error))
        return write_problem(request, unavailable("the ledger cannot be used now"))
    except CancelledError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is: it is logged, and the operator gets a problem
        _log.failure("{operation} failed", operation=route.name)
        return write_problem(request, Problem(500, "the daemon failed; its log says more"))


def _demand_role(route: Route, bearer: Bearer) -> None:
    if not bearer.may(route.role):
        raise Problem(403, f"this needs a token of the role {route.role}, and yours has {bearer.role}")


def handle_unknown(app: Klein) -> None:
    """Have an app answer unknown paths and methods with problem details."""

    @app.handle_errors(HTTPException)
    def _unknown(*arguments: Any) -> bytes:
        # Klein puts the instance first where the app is one's.
        request, failure = arguments[-2:]
        return write_problem(request, problem_of(failure.value))


def problem_of(error: HTTPException) -> Problem:
    """Return werkzeug's error as a problem."""
    methods: Sequence[str] | None = getattr(error, "valid_methods", None)
    if methods:
        allowed = ", ".join(sorted(methods))
        return Problem(405, f"allowed are {allowed}", headers=[("allow", allowed)])
    if error.code == 404:
        return Problem(404, "there is nothing under this path")
    return Problem(error.code if error.code is not None and error.code >= 400 else 400, error.name)
