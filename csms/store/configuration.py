"""Configuration keys: what charge points told last, and what the operator wants of a charge point or of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Connection, delete, insert, select

from csms.ledger.state import ConfigurationKey
from csms.store.tables import charge_points, configuration, wanted_configuration

Scope = Literal["chargepoint", "group"]


def known_configuration(connection: Connection, client_id: str) -> dict[str, ConfigurationKey]:
    """Return the last known values of a charge point, by the folded names of their keys."""
    rows = connection.execute(select(configuration).where(configuration.c.client_id == client_id)).mappings()
    return {row["key"].casefold(): ConfigurationKey(**row) for row in rows}


def wanted_by(connection: Connection, scope: Scope, name: str) -> dict[str, str]:
    """Return the keys that the operator wants of a charge point, or of a group."""
    table = wanted_configuration
    query = select(table.c.key, table.c.value).where(table.c.scope == scope, table.c.name == name).order_by(table.c.key)
    return {row.key: row.value for row in connection.execute(query)}


def wanted_of(connection: Connection, client_id: str) -> dict[str, str]:
    """Return the keys that a charge point is to have: its own go before those of its group."""
    group = connection.execute(
        select(charge_points.c.group_name).where(charge_points.c.client_id == client_id)
    ).scalar_one_or_none()
    of_group = wanted_by(connection, "group", group) if group is not None else {}
    own = wanted_by(connection, "chargepoint", client_id)
    folded = {key.casefold() for key in own}
    return {**{key: value for key, value in of_group.items() if key.casefold() not in folded}, **own}


def put_wanted(connection: Connection, scope: Scope, name: str, wanted: Mapping[str, str]) -> None:
    """Replace the keys that the operator wants of a charge point, or of a group."""
    delete_wanted(connection, scope, name)
    rows = [{"scope": scope, "name": name, "key": key, "value": value} for key, value in wanted.items()]
    if rows:
        connection.execute(insert(wanted_configuration), rows)


def delete_wanted(connection: Connection, scope: Scope, name: str) -> bool:
    """Forget the keys that the operator wants; tell whether there were any."""
    table = wanted_configuration
    return connection.execute(delete(table).where(table.c.scope == scope, table.c.name == name)).rowcount > 0
