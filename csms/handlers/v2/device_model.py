"""The device model and its monitoring (OCPP 2.x, functional blocks B and N)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action
from twisted.internet.defer import Deferred

from csms.handlers.request import Reads, Reply, Request, takes_payload
from csms.handlers.v2 import variables as wire
from csms.ledger import device_model, monitoring
from csms.store.variables import EventContext, PartContext, event_context, part_context


class DeviceModel:
    """The device model and its monitoring: what a station tells.

    A message is read from its payload: reports are long, and the names of all their members need not be converted.
    """

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @on(Action.notify_report)
    @takes_payload
    def on_notify_report(self, request: Request) -> Deferred[Reply]:
        """Answer NotifyReport (B07, B08): variables are the last known ones."""
        part = wire.part(request, "variables")
        variables = wire.reported(request.payload)
        client_id = request.state.charge_point.client_id

        def answer(found: PartContext) -> Reply:
            decision = device_model.report(
                request.state,
                request.context,
                part=part,
                variables=variables,
                before=request.state.reports.get(part.request_id) or found.report,
                known=found.variables,
            )
            return Reply(call_result.NotifyReport(), decision)

        keys = {item.name.key for item in variables}
        return self._reads.read(part_context, client_id, part.request_id, keys).addCallback(answer)

    @on(Action.notify_monitoring_report)
    @takes_payload
    def on_notify_monitoring_report(self, request: Request) -> Deferred[Reply]:
        """Answer NotifyMonitoringReport (N02): monitors are those that are known."""
        part = wire.part(request, "monitors")
        client_id = request.state.charge_point.client_id

        def answer(found: PartContext) -> Reply:
            decision = monitoring.report(
                request.state,
                request.context,
                part=part,
                monitors=wire.monitored(request.payload),
                before=request.state.reports.get(part.request_id) or found.report,
                known=found.monitors,
            )
            return Reply(call_result.NotifyMonitoringReport(), decision)

        return self._reads.read(part_context, client_id, part.request_id, None).addCallback(answer)

    @on(Action.notify_event)
    @takes_payload
    def on_notify_event(self, request: Request) -> Deferred[Reply]:
        """Answer NotifyEvent (N07): published; alerts are kept."""
        happened = wire.happened(request)

        def answer(found: EventContext) -> Reply:
            decision = monitoring.events(
                request.state,
                request.context,
                happened=happened,
                known=found.variables,
                monitors=found.monitors,
            )
            return Reply(call_result.NotifyEvent(), decision)

        keys = {event.name.key for event in happened}
        ids = {event.monitor_id for event in happened if event.monitor_id is not None}
        client_id = request.state.charge_point.client_id
        read: Deferred[Any] = self._reads.read(event_context, client_id, keys, ids)
        return read.addCallback(answer)
