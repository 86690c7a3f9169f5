"""Availability (OCPP 2.x, functional block G)."""

from __future__ import annotations

from typing import Any

from ocpp.exceptions import PropertyConstraintViolationError
from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.handlers.wire import instant
from csms.ledger import connectors
from csms.ledger.evses import NoSuchConnector


class Availability:
    """StatusNotification."""

    @on(Action.status_notification)
    def on_status_notification(
        self, request: Request, timestamp: str, connector_status: str, evse_id: int, connector_id: int, **_members: Any
    ) -> Reply:
        """Answer StatusNotification (G01)."""
        try:
            decision = connectors.station_status(
                request.state,
                request.context,
                evse_id=int(evse_id),
                station_connector_id=int(connector_id) or None,
                status=connector_status,
                instant=instant(request, timestamp),
            )
        except NoSuchConnector as error:
            raise PropertyConstraintViolationError(str(error)) from None
        return Reply(call_result.StatusNotification(), decision)
