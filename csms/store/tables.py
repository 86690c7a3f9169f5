"""The tables. A row's columns are named as the fields of the ledger's structure that it holds.

Positions of the event log are given by the writer, under a lock that lasts to the end of the commit (see `writer`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    func,
    literal_column,
    text,
)

from csms.events.business import SignedValue
from csms.ledger.energy import EnergyMeter
from csms.ledger.model import Characteristics
from csms.ledger.state import EventTrail
from csms.store.columns import BigKey, Exact, JsonOf, UtcTime, Utf8

metadata = MetaData()

charge_points = Table(
    "charge_points",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("registration", String(20), nullable=False),
    Column("validation", String(20)),
    Column("allow_no_subprotocol", Boolean, nullable=False),
    Column("tariff_id", Text),
    Column("meter_factor", Exact),
    Column("group_name", Text),
    Column("security_profile", Integer),
    Column("certificate_name", String(64), index=True),
    Column("accept_expired_certificate", Boolean, nullable=False, server_default=false()),
    Column("password_hash", Text),
    Column("new_password_hashes", Text),
    Column("vendor", Text),
    Column("model", Text),
    Column("serial_number", Text),
    Column("firmware_version", Text),
    Column("booted_at", UtcTime),
    Column("booted_as", String(20)),
    Column("gateway_id", String(255), index=True),
    Column("version", String(20)),
    Column("connected_since", UtcTime),
    Column("disconnected_at", UtcTime),
    Column("local_list_version", BigInteger),
    Column("local_list_seen_at", UtcTime),
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

evse_connectors = Table(
    "evse_connectors",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("connector_id", BigInteger, primary_key=True, autoincrement=False),
    Column("evse_id", BigInteger, nullable=False),
    Column("station_connector_id", BigInteger, nullable=False),
    Column("station_status", Text),
)
"""What the flat connector numbers of OCPP 2.x stand for."""

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
    Column("station_transaction_id", Text),
    Column("evse_id", BigInteger),
    Column("station_connector_id", BigInteger),
    Column("trail", JsonOf(EventTrail)),
    Index(
        "transactions_by_station_id",
        "client_id",
        "station_transaction_id",
        sqlite_where=text("station_transaction_id IS NOT NULL"),
        postgresql_where=text("station_transaction_id IS NOT NULL"),
    ),
    Index("transactions_of_charge_point", "client_id", "transaction_id"),
    Index("transactions_by_start_time", "client_id", "start_time"),
    Index(
        "transactions_running",
        "transaction_id",
        sqlite_where=text("status = 'active'"),
        postgresql_where=text("status = 'active'"),
    ),
)

meters = Table(
    "meters",
    metadata,
    Column("transaction_id", Integer, primary_key=True, autoincrement=False),
    Column("meter", JsonOf(EnergyMeter), nullable=False),
    Column("signed", JsonOf(tuple[SignedValue, ...]), nullable=False),
    Column("trail", JsonOf(EventTrail)),
)
"""How far running transactions have come: one narrow row a reading, where the transaction's own would be a wide one."""


def tag_key(id_tag: ColumnElement[str]) -> ColumnElement[str]:
    """Return what the transactions of an id tag are found by: its beginning, folded as ASCII.

    Only the beginning: a text of a charge point may be longer than an index takes.
    """
    # Literals: with parameters in it, it would not be the expression of the index.
    return func.lower(func.substr(id_tag, literal_column("1"), literal_column("64")))


Index("transactions_of_id_tag", tag_key(transactions.c.id_tag), transactions.c.stop_time)

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
    Column("type", Text),
    Column("charge_points", JsonOf(tuple[str, ...])),
    Column("max_transactions", Integer),
    Column("budget_kwh", Exact),
    Column("budget_period", String(10)),
    Column("evses", JsonOf(tuple[int, ...])),
)

tariffs = Table(
    "tariffs",
    metadata,
    Column("tariff_id", String(100), primary_key=True),
    Column("currency", String(3), nullable=False),
    Column("energy_rate", Exact, nullable=False),
    Column("time_rate", Exact, nullable=False),
    Column("session_fee", Exact, nullable=False),
)

station_tariffs = Table(
    "station_tariffs",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("evse_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tariff_id", String(60), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("valid_from", UtcTime),
    Column("is_installed", Boolean, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)
"""Which tariffs charge points have (OCPP 2.1), as far as their answers told."""

reservations = Table(
    "reservations",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("reservation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("id_tag", Text, nullable=False),
    Column("parent_id_tag", Text),
    Column("expiry_date", UtcTime, nullable=False),
    Column("status", String(20), nullable=False),
    Column("id_tag_status", String(20)),
    Column("transaction_id", Integer),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Index("reservations_by_status", "status", "expiry_date"),
)

configuration = Table(
    "configuration",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("value", Text),
    Column("readonly", Boolean, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

variables = Table(
    "variables",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("variable_key", Text, primary_key=True),
    Column("attribute", String(10), primary_key=True),
    Column("component", Text, nullable=False),
    Column("component_instance", Text),
    Column("evse_id", BigInteger),
    Column("station_connector_id", BigInteger),
    Column("variable", Text, nullable=False),
    Column("variable_instance", Text),
    Column("value", Text),
    Column("mutability", Text),
    Column("persistent", Boolean),
    Column("constant", Boolean),
    Column("characteristics", JsonOf(Characteristics)),
    Column("seen_at", UtcTime, nullable=False),
)
"""A row for each attribute: a value that comes alone leaves alone what a report told of it."""

monitors = Table(
    "monitors",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("monitor_id", BigInteger, primary_key=True, autoincrement=False),
    Column("component", Text, nullable=False),
    Column("component_instance", Text),
    Column("evse_id", BigInteger),
    Column("station_connector_id", BigInteger),
    Column("variable", Text, nullable=False),
    Column("variable_instance", Text),
    Column("monitor_type", Text, nullable=False),
    Column("value", Exact, nullable=False),
    Column("severity", BigInteger, nullable=False),
    Column("in_transaction", Boolean, nullable=False),
    Column("notification_type", Text),
    Column("seen_at", UtcTime, nullable=False),
    Column("cleared_at", UtcTime),
)

reports = Table(
    "reports",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(20), nullable=False),
    Column("action", String(50)),
    Column("request", Utf8),
    Column("status", Text),
    Column("received", JsonOf(tuple[tuple[int, int], ...]), nullable=False),
    Column("last_part", BigInteger),
    Column("generated_at", UtcTime),
    Column("begun_at", UtcTime, nullable=False),
    Column("completed_at", UtcTime),
)

wanted_configuration = Table(
    "wanted_configuration",
    metadata,
    Column("scope", String(20), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)
"""``scope`` is ``chargepoint`` or ``group``, ``name`` the client id or the group's name."""

configuration_results = Table(
    "configuration_results",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("wanted", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("read_value", Text),
    Column("at", UtcTime, nullable=False),
)
"""What came of the wanted configuration at the last boot; of keys that are wanted no more, too."""

deviations = Table(
    "deviations",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("deviation", String(255), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("example", Text, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("kind", String(100), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("value", Utf8, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)
"""What is known of a charge point that no rule but the one of its kind needs (`csms.ledger.facts`)."""

messages = Table(
    "messages",
    metadata,
    Column("segment_id", BigKey, primary_key=True),
    Column("client_id", String(255), nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("size", Integer, nullable=False),
    Column("actions", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("messages_of_charge_point", "client_id", "segment_id", "size"),
    sqlite_autoincrement=True,
)
"""The raw log: a row holds some messages of a charge point that followed each other (`csms.store.messages`)."""

seen_requests = Table(
    "seen_requests",
    metadata,
    Column("face", String(10), primary_key=True),
    Column("request_id", String(255), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("status", Integer),
    Column("body", Utf8),
    Index("seen_requests_by_time", "seen_at"),
)
"""Commands that were taken, so that none is executed twice; ``face`` is ``http`` or ``mqtt``."""

tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""Tokens of the HTTP API, as the SHA-256 of their texts (`csms.store.tokens`)."""

queued_commands = Table(
    "queued_commands",
    metadata,
    Column("message_id", String(36), primary_key=True),
    Column("client_id", String(255), nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("payload", Utf8, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
"""Commands for charge points that were offline; only those that named a time to expire."""

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
