"""The common names of charge points' client certificates."""

import sqlalchemy as sa
from alembic import op

revision = "0011_certificate_names"
down_revision = "0010_tokens"


def upgrade() -> None:
    op.add_column("charge_points", sa.Column("certificate_name", sa.String(64)))
    op.create_index("ix_charge_points_certificate_name", "charge_points", ["certificate_name"])
