"""Periodic event streams (OCPP 2.1, functional block N)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.request import Reply, Request
from csms.handlers.v2.values import keep
from csms.ledger import chargepoints


class PeriodicStreams:
    """Periodic event streams: what a station tells."""

    @on("NotifyPeriodicEventStream")
    def on_notify_periodic_event_stream(self, request: Request, **_members: Any) -> Reply:
        """Take NotifyPeriodicEventStream (N13), which is a SEND: there is no answer, and the library has no name for it."""
        return Reply(None, keep(request, "NotifyPeriodicEventStream"))

    @on(Action.open_periodic_event_stream)
    def on_open_periodic_event_stream(self, request: Request, **_members: Any) -> Reply:
        """Answer OpenPeriodicEventStream (N11)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.open_periodic_event_stream, body=request.payload
        )
        return Reply(call_result.OpenPeriodicEventStream(status="Rejected"), decision)

    @on(Action.close_periodic_event_stream)
    def on_close_periodic_event_stream(self, request: Request, **_members: Any) -> Reply:
        """Answer ClosePeriodicEventStream (N12)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.close_periodic_event_stream, body=request.payload
        )
        return Reply(call_result.ClosePeriodicEventStream(), decision)
