"""``/health``, ``/ready`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

import orjson
from attrs import define, field
from klein import Klein
from twisted.web.iweb import IRequest

from csms.metrics import Counters, exposition


@define(eq=False)
class Health:
    """What a supervisor, a load balancer and Prometheus ask.

    ``readiness`` tells for each part whether it is ready; ``information`` is told beside it and decides nothing.
    """

    _counters: Counters
    _readiness: Callable[[], dict[str, bool]]
    _information: Callable[[], dict[str, Any]]
    _token: str | None = field(default=None, repr=False)
    app = Klein()

    @app.route("/health", methods=["GET"])
    def health(self, request: IRequest) -> bytes:
        """The daemon is alive: its reactor answers."""
        return _json(request, 200, {"status": "ok"})

    @app.route("/ready", methods=["GET"])
    def ready(self, request: IRequest) -> bytes:
        """The daemon can take charge points: 200, else 503 with the part that is not ready."""
        parts = self._readiness()
        ready = all(parts.values())
        return _json(request, 200 if ready else 503, {"ready": ready, **parts, **self._information()})

    @app.route("/metrics", methods=["GET"])
    def metrics(self, request: IRequest) -> bytes:
        """Prometheus metrics; behind the token, if there is one."""
        if self._token is not None:
            given = request.getHeader("authorization") or ""
            if not compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                request.setHeader("www-authenticate", "Bearer")
                return _problem(request, 401, "a bearer token is needed")
        request.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8")
        return exposition(self._counters)


def _json(request: IRequest, status: int, body: dict[str, Any]) -> bytes:
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    return orjson.dumps(body)


def _problem(request: IRequest, status: int, detail: str) -> bytes:
    """Answer with problem details (RFC 9457)."""
    request.setResponseCode(status)
    request.setHeader("content-type", "application/problem+json")
    return orjson.dumps({"type": "about:blank", "status": status, "detail": detail})
