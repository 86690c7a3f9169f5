"""Passwords and security profiles of charge points."""

import sqlalchemy as sa
from alembic import op

revision = "0009_passwords"
down_revision = "0008_facts"


def upgrade() -> None:
    op.add_column("charge_points", sa.Column("security_profile", sa.Integer()))
    op.add_column("charge_points", sa.Column("password_hash", sa.Text()))
    op.add_column("charge_points", sa.Column("new_password_hashes", sa.Text()))
