"""``csms db``: the ledger's schema and its copies. The only module of the command line that knows the store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import click
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from csms.cli import backup as backups
from csms.setting_sources import SettingsError
from csms.settings import Settings, load
from csms.store.database import parse_url, reading_engine, writing_engine
from csms.store.errors import StoreError
from csms.store.ownership import gateway_lease
from csms.store.schema import bring_up_to_date, current_revision
from csms.store.tables import event_log, transactions

_config = click.option(
    "--config", "-c", type=click.Path(path_type=Path), help="The daemon's TOML file; its environment counts as well."
)


@click.group(epilog="Example: csms db backup /var/backups/csms.db --config /etc/csms/csms.toml")
def db() -> None:
    """Look after the ledger."""


@db.command(epilog="Example: csms db upgrade --config /etc/csms/csms.toml")
@_config
def upgrade(config: Path | None) -> None:
    """Create the ledger's schema, or bring it up to date.

    The daemon does so itself when it starts; this does it beforehand, while no daemon runs.
    """
    settings = _settings(config)
    url = database_url(settings)
    engine = writing_engine(url, settings.database.durability)
    try:
        lease = gateway_lease(url, engine, settings.gateway.id)
        if not lease.acquire():
            raise click.ClickException("a daemon uses this ledger: stop it first")
        try:
            with engine.connect() as connection:
                before = current_revision(connection)
            bring_up_to_date(engine)
            with engine.connect() as connection:
                after = current_revision(connection)
        finally:
            lease.release()
    except (StoreError, SQLAlchemyError, OSError) as error:
        raise _failed(url, error) from None
    finally:
        engine.dispose()
    click.echo(f"the schema is up to date ({after})" if before == after else f"schema: {before or 'none'} -> {after}")


@db.command(epilog="Example: csms db backup /var/backups/csms-2030-01-31.db --config /etc/csms/csms.toml")
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@_config
def backup(destination: Path, config: Path | None) -> None:
    """Copy the ledger to the new file DEST while the daemon runs.

    A SQLite ledger becomes a SQLite file, complete and checked; a PostgreSQL one an archive of pg_dump for pg_restore.
    DEST appears when it is complete and on the disk; an existing file is never overwritten.
    """
    url = database_url(_settings(config))
    try:
        with _progress() as progress:
            if url.get_backend_name() == "sqlite":
                backups.back_up_sqlite(Path(url.database or ""), destination, progress)
            else:
                backups.back_up_postgresql(url, destination, progress)
    except backups.BackupFailed as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{destination}: {destination.stat().st_size} bytes")


@contextmanager
def _progress() -> Iterator[backups.Progress]:
    """Show how far a copy is, on a terminal only."""
    columns = (TextColumn("copying"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("copying", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _settings(config: Path | None) -> Settings:
    try:
        return load(str(config) if config is not None else None)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def database_url(settings: Settings) -> URL:
    """Return the URL of the ledger, as the daemon understands it.

    :raises click.ClickException: it is none.
    """
    try:
        return parse_url(settings.database.url.get_secret_value())
    except StoreError as error:
        raise click.ClickException(str(error)) from None


def _failed(url: URL, error: Exception) -> click.ClickException:
    cause = str(getattr(error, "orig", None) or error).strip().splitlines() or ["unknown error"]
    return click.ClickException(f"database.url {url.render_as_string(hide_password=True)}: {cause[0]}")


@frozen
class Summary:
    """What a ledger holds."""

    transactions: int
    completed: int
    energy_wh: Decimal
    cost: Decimal
    currency: str
    events: int
    transaction_ids: frozenset[int]


def summary(path: Path) -> Summary:
    """Read what a SQLite ledger holds.

    :raises click.ClickException: it cannot be read.
    """
    url = parse_url(f"sqlite:///{path}")
    engine = reading_engine(url, "full")
    names = ("transaction_id", "status", "energy_wh", "cost", "currency")
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(*(transactions.c[name] for name in names))).all()
            events = connection.execute(select(func.count()).select_from(event_log)).scalar_one()
    except SQLAlchemyError as error:
        raise _failed(url, error) from None
    finally:
        engine.dispose()
    return Summary(
        transactions=len(rows),
        completed=sum(row.status == "completed" for row in rows),
        energy_wh=sum((row.energy_wh or Decimal(0) for row in rows), Decimal(0)),
        cost=sum((row.cost or Decimal(0) for row in rows), Decimal(0)),
        currency=next((row.currency for row in rows if row.currency), ""),
        events=events,
        transaction_ids=frozenset(row.transaction_id for row in rows if row.status == "completed"),
    )
