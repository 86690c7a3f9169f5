"""``/transactions``: the charging sessions of all charge points, their readings, and the operator's way to close one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from attrs import define
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from csms.api import paging
from csms.api.parameters import ClientId, Listing, Time, given, known, utc
from csms.api.ports import Ledger
from csms.api.ports import Transactions as TransactionsPort
from csms.api.problems import Problem, not_found
from csms.api.routes import Answer, Exchange, Route, Shown
from csms.chargepoint.transactions import TransactionEnded, UnknownTransaction
from csms.events.business import Measurement, Quality
from csms.events.payload import Number
from csms.ledger.clock import Instant
from csms.ledger.metering import meter_value
from csms.ledger.numbers import kilo, number
from csms.ledger.samples import SignedSample
from csms.ledger.state import Reading, Transaction
from csms.ledger.trail import missing_text
from csms.store import listings

_samples = msgspec.json.Decoder(list[SignedSample]).decode


class TransactionsQuery(Listing, frozen=True):
    """Which transactions; `since` is about their start."""

    client_id: ClientId | UnsetType = UNSET
    id_tag: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    since: Time | UnsetType = UNSET


class ShownTransaction(Shown, frozen=True):
    """A transaction; meter values are Wh, `energyUsed` is kWh.

    From `evseId` on: only of OCPP 2.x. `missingEvents` are the numbers of events that did not come.
    """

    transaction_id: int
    client_id: str
    connector_id: int
    id_tag: str
    status: Literal["active", "completed", "closed"]
    start_time: datetime
    meter_start: Number
    energy_used: Number
    quality: Quality
    stop_time: datetime | UnsetType = UNSET
    meter_stop: Number | UnsetType = UNSET
    current_meter: Number | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    reservation_id: int | UnsetType = UNSET
    cost: Number | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET
    remote_start_id: int | UnsetType = UNSET
    missing_events: str | UnsetType = UNSET


class TransactionPage(Shown, frozen=True):
    """A page of transactions, newest first."""

    items: Sequence[ShownTransaction]
    next: str | UnsetType = UNSET


class ShownReading(Shown, frozen=True):
    """The meter values of one reading time, as in the event `meter_reading`, and the samples as the charge point gave them."""

    timestamp: datetime
    received_at: datetime
    connector_id: int
    transaction_id: int
    measurands: dict[str, Measurement]
    samples: Sequence[SignedSample]
    current_power: Number | UnsetType = UNSET
    total_energy: Number | UnsetType = UNSET


class ReadingPage(Shown, frozen=True):
    """A page of readings, oldest first."""

    items: Sequence[ShownReading]
    next: str | UnsetType = UNSET


@define(eq=False)
class Transactions:
    """Transactions."""

    _ledger: Ledger
    _closing: TransactionsPort

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        one = "/transactions/{transactionId}"
        return [
            Route(
                "GET", "/transactions", "listTransactions", "Transactions, newest first",
                self.list, {200: TransactionPage}, query=TransactionsQuery,
            ),
            Route("GET", one, "getTransaction", "A transaction", self.get, {200: ShownTransaction}, problems=(404,)),
            Route(
                "GET", f"{one}/readings", "listReadings", "The meter values of a transaction, oldest first",
                self.readings, {200: ReadingPage}, query=Listing, problems=(404,),
            ),
            Route(
                "POST", f"{one}/close", "closeTransaction", "Close a transaction that the charge point forgot",
                self.close, {200: ShownTransaction}, problems=(404, 409), role="operate",
            ),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of transactions."""
        query: TransactionsQuery = exchange.query
        before = paging.decode(query.cursor, Annotated[int, Meta(ge=0, le=2**31)])
        found = await self._ledger.browse(
            _transactions, before, query.limit,
            (given(query.client_id), given(query.id_tag), given(query.active), utc(query.since)),
        )  # fmt: skip
        page, following = paging.split(found, query.limit, lambda row: row.transaction_id)
        return Answer(TransactionPage(items=[shown(row) for row in page], next=following))

    async def get(self, exchange: Exchange) -> Answer:
        """Return a transaction."""
        return Answer(shown(await self._known(exchange.path["transactionId"])))

    async def readings(self, exchange: Exchange) -> Answer:
        """Return a page of a transaction's readings."""
        query: Listing = exchange.query
        transaction_id = exchange.path["transactionId"]
        after = paging.decode(query.cursor, tuple[Time, Annotated[int, Meta(ge=0, le=2**63 - 1)]])
        if after is not None:
            after = (utc(after[0]), after[1])
        found = await self._ledger.browse(_readings, transaction_id, after, query.limit)
        if found is None:
            raise not_found(f"transaction {transaction_id}")
        return Answer(found)

    async def close(self, exchange: Exchange) -> Answer:
        """Close a running transaction."""
        transaction_id = exchange.path["transactionId"]
        try:
            return Answer(shown(await self._closing.close(transaction_id)))
        except UnknownTransaction:
            raise not_found(f"transaction {transaction_id}") from None
        except TransactionEnded:
            raise Problem(409, f"transaction {transaction_id} has ended already") from None

    async def _known(self, transaction_id: int) -> Transaction:
        found = await self._ledger.browse(listings.transaction, transaction_id)
        if found is None:
            raise not_found(f"transaction {transaction_id}")
        return found


def _transactions(connection: Connection, before: int | None, limit: int, wanted: tuple[Any, ...]) -> list[Transaction]:
    client_id, id_tag, active, since = wanted
    return listings.transactions_before(
        connection, before, limit, client_id=client_id, id_tag=id_tag, active=active, since=since
    )


def _readings(
    connection: Connection, transaction_id: int, after: tuple[datetime, int] | None, limit: int
) -> ReadingPage | None:
    found = listings.readings_after(connection, transaction_id, after, limit)
    if found is None:
        return None
    page, following = paging.split(found, limit, lambda row: (row.reading.taken_at, row.reading_id))
    return ReadingPage(items=[_shown_reading(row.reading, transaction_id) for row in page], next=following)


def _shown_reading(reading: Reading, transaction_id: int) -> ShownReading:
    samples = _samples(reading.samples)
    contents = meter_value(Instant(reading.taken_at, "", False), samples).contents
    return ShownReading(
        timestamp=reading.taken_at,
        received_at=reading.received_at,
        connector_id=reading.connector_id,
        transaction_id=transaction_id,
        measurands=msgspec.json.decode(contents.measurands or b"{}", type=dict[str, Measurement]),
        samples=samples,
        current_power=msgspec.json.decode(contents.power) if contents.power is not None else UNSET,
        total_energy=msgspec.json.decode(contents.register) if contents.register is not None else UNSET,
    )


def shown(row: Transaction) -> ShownTransaction:
    """Return a transaction as it is answered."""
    latest_wh = row.meter.latest_wh
    return ShownTransaction(
        transaction_id=row.transaction_id,
        client_id=row.client_id,
        connector_id=row.connector_id,
        id_tag=row.id_tag,
        status=row.status,
        start_time=row.start_time,
        stop_time=known(row.stop_time),
        meter_start=number(row.meter_start_wh),
        meter_stop=number(row.meter_stop_wh) if row.meter_stop_wh is not None else UNSET,
        current_meter=number(latest_wh) if latest_wh is not None else UNSET,
        energy_used=kilo(row.energy_wh if row.energy_wh is not None else row.meter.energy_wh),
        reason=known(row.reason),
        reservation_id=known(row.reservation_id),
        cost=number(row.cost) if row.cost is not None else UNSET,
        currency=known(row.currency),
        evse_id=known(row.evse_id),
        station_connector_id=known(row.station_connector_id),
        station_transaction_id=known(row.station_transaction_id),
        remote_start_id=known(row.trail.remote_start_id) if row.trail is not None else UNSET,
        missing_events=(missing_text(row.trail) or UNSET) if row.trail is not None else UNSET,
        quality=row.quality,
    )
