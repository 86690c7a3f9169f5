"""What came of the wanted configuration, by charge point and key."""

import sqlalchemy as sa
from alembic import op

from csms.store.columns import UtcTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "configuration_results",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("read_value", sa.Text()),
        sa.Column("at", UtcTime(), nullable=False),
    )
