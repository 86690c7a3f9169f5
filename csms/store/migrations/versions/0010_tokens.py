"""Tokens of the HTTP API, hashed."""

import sqlalchemy as sa
from alembic import op

from csms.store.columns import UtcTime

revision = "0010_tokens"
down_revision = "0009_passwords"


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
    )
