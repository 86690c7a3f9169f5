"""Provisioning: a station boots and beats (OCPP 2.x, functional block B)."""

from __future__ import annotations

from sys import intern
from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Policy, Reply, Request
from csms.handlers.wire import wire_time
from csms.ledger import chargepoints


class Provisioning:
    """BootNotification and Heartbeat."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @on(Action.boot_notification)
    def on_boot_notification(self, request: Request, charging_station: dict[str, Any], **_members: Any) -> Reply:
        """Answer BootNotification (B01 to B03) with the registration that the operator gave."""
        decision = chargepoints.boot(
            request.state,
            request.context,
            # A fleet has few of these, and each station would keep its own copy.
            vendor=intern(charging_station["vendor_name"]),
            model=intern(charging_station["model"]),
            serial_number=charging_station.get("serial_number"),
            firmware_version=intern(charging_station.get("firmware_version") or "") or None,
        )
        payload = call_result.BootNotification(
            current_time=wire_time(request.context.now),
            interval=self._policy.heartbeat_interval_s,
            status=decision.answer,
        )
        return Reply(payload, decision)

    @on(Action.heartbeat)
    def on_heartbeat(self, request: Request, **_members: Any) -> Reply:
        """Answer Heartbeat (G02)."""
        return Reply(call_result.Heartbeat(current_time=wire_time(request.context.now)))
