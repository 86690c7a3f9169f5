"""The tables. A row's columns are named as the fields of the ledger's structure that it holds.

Positions of the event log are given by the writer, under a lock that lasts to the end of the commit (see `writer`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import DateTime, TypeEngine

from csms.events.business import SignedValue
from csms.ledger.energy import EnergyMeter

metadata = MetaData()

BigKey = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC: ISO 8601 text on SQLite, ``timestamptz`` on PostgreSQL."""

    impl = String(40)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else String(40))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        # Always with microseconds: texts must sort as the times do.
        return value.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromisoformat(value)


class Exact(TypeDecorator[Decimal]):
    """An exact decimal: text on SQLite, which has no decimals, ``numeric`` on PostgreSQL."""

    impl = String(40)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric() if dialect.name == "postgresql" else String(40))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


class JsonOf(TypeDecorator[Any]):
    """A structure as JSON text; ``kind`` is what it is decoded to."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)
        self._encoder = msgspec.json.Encoder()

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self._encoder.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else self._decoder.decode(value)


class Utf8(TypeDecorator[bytes]):
    """Bytes that are UTF-8 text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else value.encode()


charge_points = Table(
    "charge_points",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("registration", String(20), nullable=False),
    Column("validation", String(20)),
    Column("allow_no_subprotocol", Boolean, nullable=False),
    Column("vendor", Text),
    Column("model", Text),
    Column("serial_number", Text),
    Column("firmware_version", Text),
    Column("booted_at", UtcTime),
    Column("gateway_id", String(255), index=True),
    Column("version", String(20)),
    Column("connected_since", UtcTime),
    Column("disconnected_at", UtcTime),
)

event_sequences = Table(
    "event_sequences",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

connectors = Table(
    "connectors",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("connector_id", BigInteger, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("info", Text),
    Column("vendor_id", Text),
    Column("vendor_error_code", Text),
    Column("changed_at", UtcTime, nullable=False),
)

transactions = Table(
    "transactions",
    metadata,
    Column("transaction_id", Integer, primary_key=True, autoincrement=False),
    Column("client_id", String(255), nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("id_tag", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("start_time", UtcTime, nullable=False),
    Column("station_start", Text, nullable=False),
    Column("meter_start_wh", Exact, nullable=False),
    Column("meter", JsonOf(EnergyMeter), nullable=False),
    Column("quality", String(20), nullable=False),
    Column("reservation_id", BigInteger),
    Column("stop_time", UtcTime),
    Column("meter_stop_wh", Exact),
    Column("energy_wh", Exact),
    Column("reason", Text),
    Column("stop_id_tag", Text),
    Column("cost", Exact),
    Column("currency", String(3)),
    Column("completed_event_id", Text),
    Column("cost_event_id", Text),
    Column("signed", JsonOf(tuple[SignedValue, ...]), nullable=False),
    Index("transactions_of_charge_point", "client_id", "transaction_id"),
    Index("transactions_by_start", "client_id", "station_start"),
)

meter_readings = Table(
    "meter_readings",
    metadata,
    Column("reading_id", BigKey, primary_key=True),
    Column("client_id", String(255), nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("transaction_id", Integer),
    Column("taken_at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("energy_wh", Exact),
    Column("samples", Utf8, nullable=False),
    Index("meter_readings_by_time", "client_id", "taken_at"),
    sqlite_autoincrement=True,
)

records = Table(
    "records",
    metadata,
    Column("record_id", BigKey, primary_key=True),
    Column("client_id", String(255), nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message_id", Text),
    Column("body", Utf8, nullable=False),
    sqlite_autoincrement=True,
)

id_tags = Table(
    "id_tags",
    metadata,
    Column("folded", Text, primary_key=True),
    Column("id_tag", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("expiry_date", UtcTime),
    Column("parent_id_tag", Text),
)

event_log = Table(
    "event_log",
    metadata,
    Column("position", BigKey, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False),
    Column("client_id", String(255), nullable=False),
    Column("event_type", Text, nullable=False),
    Column("timestamp", UtcTime, nullable=False),
    Column("topic", Text, nullable=False),
    Column("body", Utf8, nullable=False),
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("consumer", String(100), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("set_aside_at", UtcTime, nullable=False),
    Column("reason", Text, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("consumer", String(100), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

EVENT_POSITION = "event_position"
TRANSACTION_ID = "transaction_id"
