"""The schema: made by migrations, equal to the tables, refused where it is newer."""

from __future__ import annotations

import pytest
import pytest_twisted
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from csms.store import schema, tables
from csms.store.database import parse_url, writing_engine
from csms.store.errors import StoreError


def test_the_head_that_the_code_names_is_the_head_of_the_migrations():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


@pytest.mark.filterwarnings("ignore:.*expression-based index")
@pytest_twisted.ensureDeferred
async def test_the_migrations_make_the_tables_of_the_code(store):
    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), tables.metadata)

    assert await store.read(differences) == []


@pytest_twisted.ensureDeferred
async def test_a_store_makes_its_tables_in_an_empty_database(make_store, empty_url):
    store = make_store(empty_url)
    await store.open()
    assert await store.read(schema.current_revision) == schema.HEAD


@pytest_twisted.ensureDeferred
async def test_an_open_store_again_changes_nothing_and_a_newer_schema_is_refused(make_store):
    store = make_store()
    await store.open()
    await store.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num='9999'")))
    store.close()
    with pytest.raises(StoreError, match="schema 9999, newer than"):
        await make_store().open()


def test_what_charge_points_were_told_is_taken_from_what_was_decided(tmp_path):
    engine = writing_engine(parse_url(f"sqlite:///{tmp_path}/csms.db"), "normal")
    columns = "client_id, registration, allow_no_subprotocol, booted_at"
    rows = "('A', 'Accepted', 0, '2026-03-01'), ('P', 'Pending', 0, '2026-03-01'), ('N', 'Accepted', 0, NULL)"
    with engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.execute(text(f"INSERT INTO charge_points ({columns}) VALUES {rows}"))
    schema.bring_up_to_date(engine)
    with engine.connect() as connection:
        told = connection.execute(text("SELECT client_id, booted_as FROM charge_points ORDER BY client_id")).all()
    assert told == [("A", "Accepted"), ("N", None), ("P", "Pending")]
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u:secret@h/d", "mysql is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("nonsense", "no SQLAlchemy URL"),
    ],
)
def test_other_databases_are_refused_by_name_without_their_secrets(url, reason):
    with pytest.raises(StoreError, match=reason) as refused:
        parse_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_sqlite_is_as_durable_as_the_setting_says(tmp_path, durability, level):
    engine = writing_engine(parse_url(f"sqlite:///{tmp_path}/csms.db"), durability)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
