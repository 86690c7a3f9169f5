"""``/health``, ``/ready`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from attrs import define
from klein import Klein
from twisted.web.iweb import IRequest

from csms.api.app import handle_unknown
from csms.api.exchange import write
from csms.api.routes import Answer
from csms.metrics import Counters, exposition


@define(eq=False)
class Health:
    """What a supervisor, a load balancer and Prometheus ask.

    ``readiness`` tells for each part whether it is ready; ``information`` is told beside it and decides nothing.
    """

    _counters: Counters
    _readiness: Callable[[], dict[str, bool]]
    _information: Callable[[], dict[str, Any]]
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
        """Prometheus metrics; behind a token, if there is one (see `csms.api.root`)."""
        return write(request, Answer(exposition(self._counters), media="text/plain; version=0.0.4; charset=utf-8"))

    handle_unknown(app)


def _json(request: IRequest, status: int, body: dict[str, Any]) -> bytes:
    return write(request, Answer(orjson.dumps(body), status))
