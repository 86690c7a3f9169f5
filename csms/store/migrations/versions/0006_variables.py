"""The device model of OCPP 2.x: variables, monitors, and the reports that they come by."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from csms.store.columns import Exact, UtcTime

revision = "0006_variables"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "variables",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("variable_key", sa.Text(), primary_key=True),
        sa.Column("attribute", sa.String(10), primary_key=True),
        *_name(),
        sa.Column("value", sa.Text()),
        sa.Column("mutability", sa.Text()),
        sa.Column("persistent", sa.Boolean()),
        sa.Column("constant", sa.Boolean()),
        sa.Column("characteristics", sa.Text()),
        sa.Column("seen_at", UtcTime(), nullable=False),
    )
    op.create_table(
        "monitors",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("monitor_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        *_name(),
        sa.Column("monitor_type", sa.Text(), nullable=False),
        sa.Column("value", Exact(), nullable=False),
        sa.Column("severity", sa.BigInteger(), nullable=False),
        sa.Column("in_transaction", sa.Boolean(), nullable=False),
        sa.Column("notification_type", sa.Text()),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("cleared_at", UtcTime()),
    )
    op.create_table(
        "reports",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("request_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("action", sa.String(50)),
        sa.Column("request", sa.Text()),
        sa.Column("status", sa.Text()),
        sa.Column("received", sa.Text(), nullable=False),
        sa.Column("last_part", sa.BigInteger()),
        sa.Column("generated_at", UtcTime()),
        sa.Column("begun_at", UtcTime(), nullable=False),
        sa.Column("completed_at", UtcTime()),
    )


def _name() -> list[sa.Column[Any]]:
    """Return the columns that say which variable a row is about."""
    return [
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("component_instance", sa.Text()),
        sa.Column("evse_id", sa.BigInteger()),
        sa.Column("station_connector_id", sa.BigInteger()),
        sa.Column("variable", sa.Text(), nullable=False),
        sa.Column("variable_instance", sa.Text()),
    ]
