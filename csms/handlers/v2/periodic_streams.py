"""Periodic event streams (OCPP 2.1, functional block N)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.handlers.request import Reply, Request
from csms.handlers.wire import instant
from csms.ledger import streams
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState


class PeriodicStreams:
    """Values of monitors that come without waiting for answers."""

    @on(Action.open_periodic_event_stream)
    def on_open_periodic_event_stream(
        self, request: Request, constant_stream_data: dict[str, Any], **_members: Any
    ) -> Reply:
        """Answer OpenPeriodicEventStream (N11)."""
        params = constant_stream_data["params"]
        decision = streams.open_stream(
            request.state,
            request.context,
            stream_id=int(constant_stream_data["id"]),
            monitor_id=int(constant_stream_data["variable_monitoring_id"]),
            interval=params.get("interval"),
            values=params.get("values"),
            body=request.payload,
        )
        return Reply(call_result.OpenPeriodicEventStream(status=decision.answer), decision)

    @on(Action.close_periodic_event_stream)
    def on_close_periodic_event_stream(self, request: Request, **members: Any) -> Reply:
        """Answer ClosePeriodicEventStream (N13)."""
        number = int(members["id"])
        decision = streams.close_stream(request.state, request.context, stream_id=number, body=request.payload)
        return Reply(call_result.ClosePeriodicEventStream(), decision)

    @on("NotifyPeriodicEventStream")
    def on_notify_periodic_event_stream(
        self, request: Request, basetime: str, data: list[dict[str, Any]], **members: Any
    ) -> Reply:
        """Take NotifyPeriodicEventStream (N11), which is a SEND: there is no answer, and the library has no name for it."""
        decision = streams.data(
            request.state,
            request.context,
            stream_id=int(members["id"]),
            pending=int(members["pending"]),
            base=instant(request, basetime),
            values=[(element["t"], element["v"]) for element in data],
            body=request.payload,
        )
        return Reply(None, decision)


def get_periodic_event_stream(
    state: ChargePointState, context: Context, _request: Payload, response: Payload
) -> Decision[None]:
    """Learn which streams are open (N12)."""
    told = response.get("constantStreamData", [])
    if not isinstance(told, list):
        return Decision(None, state)
    found: dict[int, int] = {}
    for item in told:
        stream_id, monitor_id = (
            (item.get("id"), item.get("variableMonitoringId")) if isinstance(item, dict) else (None, None)
        )
        if type(stream_id) is not int or type(monitor_id) is not int:
            return Decision(None, state)
        found[stream_id] = monitor_id
    return streams.observe(state, context, found)


LEARNERS: dict[str, Learner] = {Action.get_periodic_event_stream.value: learner(get_periodic_event_stream)}
