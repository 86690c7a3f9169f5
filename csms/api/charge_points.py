"""``/chargepoints``: which there are, how they are, and what the operator allows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from attrs import define
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from csms.api import paging
from csms.api.allowed_quirks import AskedQuirks, Factor, ShownQuirks, shown_quirks, with_quirks
from csms.api.numbers import exact
from csms.api.parameters import Listing, given, known
from csms.api.ports import Ledger, Provisioning
from csms.api.problems import not_found, unavailable, unprocessable
from csms.api.routes import Answer, Asked, Body, Exchange, Route, Shown
from csms.certificates import LONGEST_NAME
from csms.chargepoint.provisioning import BadCertificateName, UnknownTariff
from csms.events.payload import Number
from csms.ledger.numbers import number
from csms.ledger.provisioning import Provision
from csms.ledger.state import Connector, Registration
from csms.passwords.secret import LONGEST, SHORTEST, BadPassword
from csms.passwords.threads import Busy
from csms.store import listings
from csms.store.listings import KnownChargePoint

Validation = Literal["strict", "tolerant", "off"]


class ChargePointsQuery(Listing, frozen=True):
    """Which charge points."""

    connected: bool | UnsetType = UNSET


class ShownConnector(Shown, frozen=True):
    """A connector as its last StatusNotification left it; connector 0 is the station."""

    connector_id: int
    status: str
    error_code: str
    changed_at: datetime
    info: str | UnsetType = UNSET
    vendor_id: str | UnsetType = UNSET
    vendor_error_code: str | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_status: str | UnsetType = UNSET


class ShownChargePoint(Shown, frozen=True):
    """A charge point: what it is, how it is connected, and what the operator allows it."""

    client_id: str
    connected: bool
    registration: Registration
    allow_no_subprotocol: bool
    quirks: ShownQuirks
    has_password: bool
    connectors: Sequence[ShownConnector]
    new_password_sent: bool | UnsetType = UNSET
    security_profile: int | UnsetType = UNSET
    certificate_name: str | UnsetType = UNSET
    accept_expired_certificate: bool | UnsetType = UNSET
    validation: str | UnsetType = UNSET
    tariff_id: str | UnsetType = UNSET
    meter_factor: Number | UnsetType = UNSET
    group_name: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    vendor: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    serial_number: str | UnsetType = UNSET
    firmware_version: str | UnsetType = UNSET
    gateway_id: str | UnsetType = UNSET
    booted_at: datetime | UnsetType = UNSET
    connected_since: datetime | UnsetType = UNSET
    disconnected_at: datetime | UnsetType = UNSET
    local_list_version: int | UnsetType = UNSET
    local_list_seen_at: datetime | UnsetType = UNSET


class ChargePointPage(Shown, frozen=True):
    """A page of charge points, by their ids."""

    items: Sequence[ShownChargePoint]
    next: str | UnsetType = UNSET


class Provisioned(Asked, frozen=True):
    """What the operator allows a charge point. A member that is left out stays as it is; null takes it away."""

    registration: Registration | UnsetType = UNSET
    validation: Validation | UnsetType | None = UNSET
    allow_no_subprotocol: bool | UnsetType = UNSET
    tariff_id: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType | None = UNSET
    meter_factor: Factor | UnsetType | None = UNSET
    quirks: AskedQuirks | UnsetType | None = UNSET
    group_name: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType | None = UNSET
    security_profile: Annotated[int, Meta(ge=0, le=3)] | UnsetType | None = UNSET
    certificate_name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_NAME,
                description="The CN of its client certificate, as its serial number, where that is not its identity",
            ),
        ]
        | UnsetType
        | None
    ) = UNSET
    accept_expired_certificate: bool | UnsetType = UNSET
    password: (
        Annotated[
            str,
            Meta(
                min_length=SHORTEST,
                max_length=LONGEST,
                description="For Basic authentication; it is kept as a hash, and never shown",
                extra_json_schema={"writeOnly": True, "format": "password"},
            ),
        ]
        | UnsetType
        | None
    ) = UNSET


@define(eq=False)
class ChargePoints:
    """Charge points."""

    _ledger: Ledger
    _provisioning: Provisioning

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        one = "/chargepoints/{clientId}"
        return [
            Route(
                "GET", "/chargepoints", "listChargePoints", "Charge points with their connectors, by id",
                self.list, {200: ChargePointPage}, query=ChargePointsQuery,
            ),
            Route("GET", one, "getChargePoint", "A charge point", self.get, {200: ShownChargePoint}, problems=(404,)),
            Route(
                "PUT", one, "putChargePoint", "Enter a charge point, or change what it is allowed",
                self.put, {200: ShownChargePoint, 201: ShownChargePoint}, body=Body(Provisioned), problems=(404, 422),
            ),
            Route(
                "DELETE", one, "deleteChargePoint", "Forget a charge point; its transactions stay",
                self.delete, {204: None}, problems=(404,),
            ),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of charge points."""
        query: ChargePointsQuery = exchange.query
        after = paging.decode(query.cursor, str)
        found = await self._ledger.browse(_charge_points, after, query.limit, given(query.connected))
        page, following = paging.split(found, query.limit, lambda row: row.charge_point.client_id)
        return Answer(ChargePointPage(items=[shown(row) for row in page], next=following))

    async def get(self, exchange: Exchange) -> Answer:
        """Return a charge point."""
        client_id = exchange.path["clientId"]
        found = await self._ledger.browse(listings.charge_point, client_id)
        if found is None:
            raise not_found(f"charge point {client_id!r}")
        return Answer(shown(found))

    async def put(self, exchange: Exchange) -> Answer:
        """Enter or change a charge point."""
        client_id = exchange.path["clientId"]
        changes = msgspec.structs.asdict(exchange.body)
        password = changes.pop("password")
        factor = given(exchange.body.meter_factor)
        if factor is not None:
            changes["meter_factor"] = exact("meterFactor", factor)
        changes = with_quirks(changes)
        existed = await self._ledger.browse(listings.is_known, client_id)
        try:
            await self._provisioning.put(client_id, Provision(**changes), password)
        except UnknownTariff:
            raise unprocessable("tariffId", "there is no such tariff") from None
        except BadCertificateName as error:
            raise unprocessable("certificateName", str(error)) from None
        except BadPassword as error:
            raise unprocessable("password", str(error)) from None
        except Busy as error:
            raise unavailable(str(error)) from None
        answer = await self.get(exchange)
        return Answer(answer.body, 200 if existed else 201)

    async def delete(self, exchange: Exchange) -> Answer:
        """Forget a charge point."""
        client_id = exchange.path["clientId"]
        if not await self._provisioning.delete(client_id):
            raise not_found(f"charge point {client_id!r}")
        return Answer(status=204)


def _charge_points(connection: Connection, after: str | None, limit: int, connected: Any) -> list[KnownChargePoint]:
    return listings.charge_points_after(connection, after, limit, connected=connected)


def shown(row: KnownChargePoint) -> ShownChargePoint:
    """Return a charge point as it is answered."""
    point = row.charge_point
    return ShownChargePoint(
        client_id=point.client_id,
        connected=point.is_online,
        registration=point.registration,
        allow_no_subprotocol=point.allow_no_subprotocol,
        has_password=row.has_password,
        new_password_sent=row.was_sent_password or UNSET,
        security_profile=known(point.security_profile),
        certificate_name=known(point.certificate_name),
        accept_expired_certificate=point.accept_expired_certificate or UNSET,
        quirks=shown_quirks(point),
        connectors=[_shown_connector(connector, row) for connector in row.connectors],
        validation=known(point.validation),
        tariff_id=known(point.tariff_id),
        meter_factor=number(point.meter_factor) if point.meter_factor is not None else UNSET,
        group_name=known(point.group_name),
        version=known(point.version),
        vendor=known(point.vendor),
        model=known(point.model),
        serial_number=known(point.serial_number),
        firmware_version=known(point.firmware_version),
        gateway_id=known(point.gateway_id),
        booted_at=known(point.booted_at),
        connected_since=known(point.connected_since),
        disconnected_at=known(point.disconnected_at),
        local_list_version=known(point.local_list_version),
        local_list_seen_at=known(point.local_list_seen_at),
    )


def _shown_connector(connector: Connector, row: KnownChargePoint) -> ShownConnector:
    place = row.evses.get(connector.connector_id)
    return ShownConnector(
        connector_id=connector.connector_id,
        status=connector.status,
        error_code=connector.error_code,
        changed_at=connector.changed_at,
        info=known(connector.info),
        vendor_id=known(connector.vendor_id),
        vendor_error_code=known(connector.vendor_error_code),
        transaction_id=known(row.running.get(connector.connector_id)),
        evse_id=place.evse_id if place is not None else UNSET,
        station_connector_id=place.station_connector_id if place is not None else UNSET,
        station_status=known(place.station_status) if place is not None else UNSET,
    )
