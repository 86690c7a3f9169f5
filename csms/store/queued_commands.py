"""Commands that wait for charge points which are offline; they survive a restart."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, insert, select

from csms.store.tables import queued_commands as table


class QueuedCommand(Struct, frozen=True, kw_only=True):
    """A command that waits; ``payload`` is its JSON."""

    message_id: str
    client_id: str
    action: str
    payload: bytes
    created_at: datetime
    expires_at: datetime


_ALL = select(*(table.c[name] for name in QueuedCommand.__struct_fields__))


def put_queued(connection: Connection, command: QueuedCommand) -> None:
    """Have a command wait."""
    connection.execute(insert(table), [structs.asdict(command)])


def take_queued(connection: Connection, message_id: str) -> bool:
    """Take a command out; tell whether it was still there: of several who try it is one who sends it."""
    return connection.execute(delete(table).where(table.c.message_id == message_id)).rowcount > 0


def queued_for(connection: Connection, client_id: str) -> list[QueuedCommand]:
    """Return what waits for a charge point, the oldest first."""
    query = _ALL.where(table.c.client_id == client_id).order_by(table.c.created_at, table.c.message_id)
    return [QueuedCommand(**row) for row in connection.execute(query).mappings()]


def count_queued(connection: Connection, client_id: str) -> int:
    """Return how many commands wait for a charge point."""
    return connection.execute(
        select(func.count()).select_from(table).where(table.c.client_id == client_id)
    ).scalar_one()


def queued_until(connection: Connection, now: datetime) -> list[QueuedCommand]:
    """Return the commands that have expired."""
    return [QueuedCommand(**row) for row in connection.execute(_ALL.where(table.c.expires_at <= now)).mappings()]


def charge_points_with_queued(connection: Connection) -> list[str]:
    """Return the charge points for which something waits."""
    return list(connection.execute(select(table.c.client_id).distinct()).scalars())
