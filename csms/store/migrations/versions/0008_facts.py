"""Facts: what is known of a charge point by kind and key."""

import sqlalchemy as sa
from alembic import op

from csms.store.columns import UtcTime, Utf8

revision = "0008_facts"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("client_id", sa.String(255), primary_key=True),
        sa.Column("kind", sa.String(100), primary_key=True),
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("value", Utf8(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
    )
