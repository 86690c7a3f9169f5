"""The schema's version: refused where it is newer than the daemon, upgraded where it is older (Alembic)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from csms.store.errors import StoreError

HEAD = "0012_expired_certificates"
"""The revision that this code works with; a test holds it against the migrations."""
MIGRATIONS = Path(__file__).parent / "migrations"


def current_revision(connection: Connection) -> str | None:
    """Return the schema's revision, None where the database is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def bring_up_to_date(engine: Engine) -> None:
    """Create or upgrade the schema.

    :raises StoreError: the schema is of a newer csms.
    """
    with engine.connect() as connection, connection.begin():
        revision = current_revision(connection)
        if revision == HEAD:
            return
        # Alembic takes a third of a second to import: only a start that migrates pays it.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if revision is not None and revision not in known:
            raise StoreError(
                f"the database has schema {revision}, newer than {HEAD} of this csms: install a newer csms"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
