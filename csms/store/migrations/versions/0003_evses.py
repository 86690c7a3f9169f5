"""EVSEs and their connectors, and what only OCPP 2.x tells of a transaction."""

import sqlalchemy as sa
from alembic import op

revision = "0003_evses"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "evse_connectors",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("connector_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("evse_id", sa.BigInteger(), nullable=False),
        sa.Column("station_connector_id", sa.BigInteger(), nullable=False),
        sa.Column("station_status", sa.Text()),
    )
    op.add_column("transactions", sa.Column("station_transaction_id", sa.Text()))
    op.add_column("transactions", sa.Column("evse_id", sa.BigInteger()))
    op.add_column("transactions", sa.Column("station_connector_id", sa.BigInteger()))
    op.add_column("transactions", sa.Column("trail", sa.Text()))
    op.add_column("meters", sa.Column("trail", sa.Text()))
    told = sa.text("station_transaction_id IS NOT NULL")
    op.create_index(
        "transactions_by_station_id",
        "transactions",
        ["client_id", "station_transaction_id"],
        sqlite_where=told,
        postgresql_where=told,
    )
