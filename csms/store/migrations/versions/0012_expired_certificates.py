"""Charge points that may come with a client certificate that has ended."""

import sqlalchemy as sa
from alembic import op

revision = "0012_expired_certificates"
down_revision = "0011_certificate_names"


def upgrade() -> None:
    op.add_column(
        "charge_points",
        sa.Column("accept_expired_certificate", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
