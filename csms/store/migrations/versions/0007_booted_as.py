"""What the latest BootNotification of a charge point was answered: until now only what the operator decided is known."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006_variables"


def upgrade() -> None:
    op.add_column("charge_points", sa.Column("booted_as", sa.String(20)))
    op.execute("UPDATE charge_points SET booted_as = registration WHERE booted_at IS NOT NULL")
