"""How the id tag of a reservation was judged."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0004_authorization"


def upgrade() -> None:
    op.add_column("reservations", sa.Column("id_tag_status", sa.String(20)))
