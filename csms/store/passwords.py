"""Passwords that are on their way to charge points: sent, and not yet seen to be used.

Several may be: whether a charge point has taken one is not known until it comes with it, and until then the old one counts.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from csms.store.tables import charge_points

MOST_NEW = 3


class TooManyNew(Exception):
    """So many new passwords were sent already that the charge point has to come back with one of them first."""


def add_new(connection: Connection, client_id: str, new: str) -> None:
    """Let a new password count beside those that count already.

    :raises TooManyNew: there are too many.
    """
    before = _new(connection, client_id)
    if len(before) >= MOST_NEW:
        raise TooManyNew
    _write_new(connection, client_id, [*before, new])


def drop_new(connection: Connection, client_id: str, new: str) -> None:
    """Let a new password count no more: the charge point has refused it."""
    _write_new(connection, client_id, [item for item in _new(connection, client_id) if item != new])


def renew(connection: Connection, client_id: str, new: str) -> bool:
    """Let a new password be the only one, since the charge point has come with it; tell whether it counted still."""
    if new not in _new(connection, client_id):
        return False
    values = {"password_hash": new, "new_password_hashes": None}
    connection.execute(update(charge_points).where(charge_points.c.client_id == client_id).values(values))
    return True


def _new(connection: Connection, client_id: str) -> list[str]:
    query = select(charge_points.c.new_password_hashes).where(charge_points.c.client_id == client_id).with_for_update()
    return (connection.execute(query).scalar_one_or_none() or "").split()


def _write_new(connection: Connection, client_id: str, hashes: list[str]) -> None:
    values = {"new_password_hashes": " ".join(hashes) or None}
    connection.execute(update(charge_points).where(charge_points.c.client_id == client_id).values(values))
