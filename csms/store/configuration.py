"""Configuration keys: what charge points told last, and what the operator wants of a charge point or of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, delete, insert, select

from csms.ledger.configuration import shown
from csms.ledger.state import ConfigurationKey, ConfigurationResult
from csms.store.snapshot import snapshot
from csms.store.tables import charge_points, configuration, configuration_results, wanted_configuration

Scope = Literal["chargepoint", "group"]


class WantedKey(Struct, frozen=True, gc=False):
    """A key that a charge point is to have; ``group`` is the group that wants it, None where it is wanted of itself."""

    key: str
    value: str
    group: str | None = None
    result: ConfigurationResult | None = None


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
    return {item.key: item.value for item in _applying(connection, client_id)}


def wanted_with_results(connection: Connection, client_id: str) -> list[WantedKey]:
    """Return the keys that a charge point is to have by their names, with what came of each when it booted last."""
    with snapshot(connection):
        applying = _applying(connection, client_id)
        rows = connection.execute(
            select(configuration_results).where(configuration_results.c.client_id == client_id)
        ).mappings()
        results = {row["key"]: ConfigurationResult(**row) for row in rows}
    found = []
    for item in sorted(applying, key=lambda item: item.key.casefold()):
        result = results.get(item.key.casefold())
        # Of a value that was wanted before, it says nothing about the one that is wanted now.
        is_of_it = result is not None and result.wanted == shown(item.key, item.value)
        found.append(replace(item, result=result) if is_of_it else item)
    return found


def _applying(connection: Connection, client_id: str) -> list[WantedKey]:
    group = connection.execute(
        select(charge_points.c.group_name).where(charge_points.c.client_id == client_id)
    ).scalar_one_or_none()
    of_group = wanted_by(connection, "group", group) if group is not None else {}
    own = wanted_by(connection, "chargepoint", client_id)
    folded = {key.casefold() for key in own}
    return [
        *(WantedKey(key, value, group) for key, value in of_group.items() if key.casefold() not in folded),
        *(WantedKey(key, value) for key, value in own.items()),
    ]


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
