"""Meters of running transactions by themselves; and what commanding needs: provisioning, limits of tags, tariffs, reservations, configuration, the raw log, requests."""

import sqlalchemy as sa
from alembic import op

from csms.store.columns import BigKey, Exact, UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("charge_points", sa.Column("tariff_id", sa.Text()))
    op.add_column("charge_points", sa.Column("meter_factor", Exact()))
    op.add_column("charge_points", sa.Column("group_name", sa.Text()))
    op.add_column("id_tags", sa.Column("type", sa.Text()))
    op.add_column("id_tags", sa.Column("charge_points", sa.Text()))
    op.add_column("id_tags", sa.Column("max_transactions", sa.Integer()))
    op.add_column("id_tags", sa.Column("budget_kwh", Exact()))
    op.add_column("id_tags", sa.Column("budget_period", sa.String(10)))
    op.drop_index("transactions_by_start", "transactions")
    op.create_index("transactions_by_start_time", "transactions", ["client_id", "start_time"])
    op.create_index("transactions_of_id_tag", "transactions", [sa.text("lower(substr(id_tag, 1, 64))"), "stop_time"])
    running = sa.text("status = 'active'")
    op.create_index(
        "transactions_running", "transactions", ["transaction_id"], sqlite_where=running, postgresql_where=running
    )
    op.create_table(
        "meters",
        sa.Column("transaction_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
    )
    op.create_table(
        "tariffs",
        sa.Column("tariff_id", sa.String(100), primary_key=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("energy_rate", Exact(), nullable=False),
        sa.Column("time_rate", Exact(), nullable=False),
        sa.Column("session_fee", Exact(), nullable=False),
    )
    op.create_table(
        "reservations",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("reservation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("id_tag", sa.Text(), nullable=False),
        sa.Column("parent_id_tag", sa.Text()),
        sa.Column("expiry_date", UtcTime(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("transaction_id", sa.Integer()),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
    )
    op.create_index("reservations_by_status", "reservations", ["status", "expiry_date"])
    op.create_table(
        "configuration",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("value", sa.Text()),
        sa.Column("readonly", sa.Boolean(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
    )
    op.create_table(
        "wanted_configuration",
        sa.Column("scope", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
    op.create_table(
        "deviations",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("deviation", sa.String(255), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", UtcTime(), nullable=False),
        sa.Column("last_seen", UtcTime(), nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
    )
    op.create_table(
        "messages",
        sa.Column("segment_id", BigKey, primary_key=True),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("first_at", UtcTime(), nullable=False),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("messages_of_charge_point", "messages", ["client_id", "segment_id", "size"])
    op.create_table(
        "seen_requests",
        sa.Column("face", sa.String(10), primary_key=True),
        sa.Column("request_id", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.Text()),
    )
    op.create_index("seen_requests_by_time", "seen_requests", ["seen_at"])
    op.create_table(
        "queued_commands",
        sa.Column("message_id", sa.String(36), primary_key=True),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_queued_commands_client_id", "queued_commands", ["client_id"])
