"""Which local list and which tariffs a charge point has; EVSEs of id tags."""

import sqlalchemy as sa
from alembic import op

from csms.store.columns import UtcTime

revision = "0004_authorization"
down_revision = "0003_evses"


def upgrade() -> None:
    op.add_column("charge_points", sa.Column("local_list_version", sa.BigInteger()))
    op.add_column("charge_points", sa.Column("local_list_seen_at", UtcTime()))
    op.add_column("id_tags", sa.Column("evses", sa.Text()))
    op.create_table(
        "station_tariffs",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("evse_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("tariff_id", sa.String(60), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("valid_from", UtcTime()),
        sa.Column("is_installed", sa.Boolean(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
    )
