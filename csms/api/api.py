"""The API put together: its resources, its table of routes, and the site that serves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen
from klein import Klein
from twisted.web.server import Site

from csms.api import ports
from csms.api.app import make_app
from csms.api.charge_points import ChargePoints
from csms.api.commands import Commands
from csms.api.configuration import Configuration
from csms.api.event_feed import EventFeed
from csms.api.events import Events
from csms.api.health import Health
from csms.api.id_tags import IdTags
from csms.api.idempotency import Idempotency
from csms.api.messages import Messages
from csms.api.openapi import OpenApi
from csms.api.passwords import Passwords
from csms.api.quirks import Quirks
from csms.api.reservations import Reservations
from csms.api.root import Root, make_site
from csms.api.routes import Route
from csms.api.station_tariffs import StationTariffs
from csms.api.tariffs import Tariffs
from csms.api.transactions import Transactions
from csms.api.variables import Variables
from csms.ledger.cost import Tariff


class Resource(Protocol):
    """A part of the API with its routes."""

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""


@frozen
class Parts:
    """What the API is made of."""

    ledger: ports.Ledger
    commands: ports.Commands
    provisioning: ports.Provisioning
    transactions: ports.Transactions
    feed: EventFeed
    now: Callable[[], datetime]
    gateway_id: str
    tariff: Tariff = field(factory=Tariff)
    """The default tariff."""


def make_routes(parts: Parts) -> Sequence[Route]:
    """Return all routes."""
    ledger = parts.ledger
    resources: list[Resource] = [
        ChargePoints(ledger, parts.provisioning),
        Commands(parts.commands, Idempotency(ledger, parts.gateway_id, parts.now), parts.now),
        Passwords(parts.commands),
        Messages(ledger),
        Quirks(ledger),
        Configuration(ledger, parts.provisioning),
        Variables(ledger),
        Transactions(ledger, parts.transactions),
        Reservations(ledger),
        IdTags(ledger),
        Tariffs(ledger, parts.provisioning),
        StationTariffs(ledger, parts.commands, parts.tariff),
        Events(ledger, parts.feed),
    ]
    routes = [route for resource in resources for route in resource.routes()]
    return [*routes, *OpenApi(routes).routes()]


def make_http_site(parts: Parts, health: Health, token: str | None) -> Site:
    """Return the site that serves the API, and the supervisor's questions beside it."""
    api: Klein = make_app(make_routes(parts))
    return make_site(Root(api, health.app, token))
