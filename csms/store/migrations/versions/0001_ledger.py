"""The ledger: charge points, connectors, transactions, readings, id tags, the event log and its cursors."""

import sqlalchemy as sa
from alembic import op

from csms.store.columns import BigKey, Exact, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "charge_points",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("registration", sa.String(20), nullable=False),
        sa.Column("validation", sa.String(20)),
        sa.Column("allow_no_subprotocol", sa.Boolean(), nullable=False),
        sa.Column("vendor", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("serial_number", sa.Text()),
        sa.Column("firmware_version", sa.Text()),
        sa.Column("booted_at", UtcTime()),
        sa.Column("gateway_id", sa.String(255)),
        sa.Column("version", sa.String(20)),
        sa.Column("connected_since", UtcTime()),
        sa.Column("disconnected_at", UtcTime()),
    )
    op.create_index("ix_charge_points_gateway_id", "charge_points", ["gateway_id"])
    op.create_table(
        "event_sequences",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "connectors",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("connector_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=False),
        sa.Column("info", sa.Text()),
        sa.Column("vendor_id", sa.Text()),
        sa.Column("vendor_error_code", sa.Text()),
        sa.Column("changed_at", UtcTime(), nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(50), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("consumer", sa.String(100), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "event_log",
        sa.Column("position", BigKey, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("timestamp", UtcTime(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "id_tags",
        sa.Column("folded", sa.Text(), primary_key=True),
        sa.Column("id_tag", sa.Text(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("expiry_date", UtcTime()),
        sa.Column("parent_id_tag", sa.Text()),
    )
    op.create_table(
        "meter_readings",
        sa.Column("reading_id", BigKey, primary_key=True),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Integer()),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("energy_wh", Exact()),
        sa.Column("samples", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("meter_readings_by_time", "meter_readings", ["client_id", "taken_at"])
    op.create_table(
        "records",
        sa.Column("record_id", BigKey, primary_key=True),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "set_aside",
        sa.Column("consumer", sa.String(100), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("set_aside_at", UtcTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "transactions",
        sa.Column("transaction_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("id_tag", sa.Text(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("start_time", UtcTime(), nullable=False),
        sa.Column("station_start", sa.Text(), nullable=False),
        sa.Column("meter_start_wh", Exact(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("quality", sa.String(20), nullable=False),
        sa.Column("reservation_id", sa.BigInteger()),
        sa.Column("stop_time", UtcTime()),
        sa.Column("meter_stop_wh", Exact()),
        sa.Column("energy_wh", Exact()),
        sa.Column("reason", sa.Text()),
        sa.Column("stop_id_tag", sa.Text()),
        sa.Column("cost", Exact()),
        sa.Column("currency", sa.String(3)),
        sa.Column("completed_event_id", sa.Text()),
        sa.Column("cost_event_id", sa.Text()),
        sa.Column("signed", sa.Text(), nullable=False),
    )
    op.create_index("transactions_by_start", "transactions", ["client_id", "station_start"])
    op.create_index("transactions_of_charge_point", "transactions", ["client_id", "transaction_id"])
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": "event_position", "value": 0}, {"name": "transaction_id", "value": 0}])
