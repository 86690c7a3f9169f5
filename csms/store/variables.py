"""The device model of OCPP 2.x as charge points told it last: what rules need of it, and lists for operators."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, select

from csms.ledger.device_model import Known, KnownValue
from csms.ledger.model import Monitor, Report, Variable
from csms.store.listings import is_known
from csms.store.snapshot import snapshot
from csms.store.tables import monitors, reports, variables

_VALUES = select(
    variables.c.variable_key,
    variables.c.attribute,
    variables.c.value,
    variables.c.mutability,
    variables.c.characteristics,
)


class EventContext(Struct, frozen=True):
    """What events of variables have to know."""

    variables: Known
    monitors: dict[int, Monitor]


class PartContext(Struct, frozen=True):
    """What a part of a report has to know: of a report of variables ``variables``, of one of monitors ``monitors``."""

    report: Report | None
    variables: Known
    monitors: dict[int, Monitor]


def known_variables(connection: Connection, client_id: str, keys: Collection[str] | None = None) -> Known:
    """Return what is known of a charge point's variables, of all or of those with these keys."""
    mine = variables.c.client_id == client_id
    query = _VALUES.where(mine)
    if keys is not None:
        query = query.where(variables.c.variable_key.in_(set(keys)))
    values = {
        (row.variable_key, row.attribute): KnownValue(row.value, row.mutability, row.characteristics)
        for row in connection.execute(query)
    }
    if keys is None:
        return Known(values, len(values))
    return Known(values, connection.execute(select(func.count()).select_from(variables).where(mine)).scalar_one())


def known_monitors(connection: Connection, client_id: str) -> dict[int, Monitor]:
    """Return the monitors of a charge point by their ids, those that were cleared lately among them."""
    rows = connection.execute(select(monitors).where(monitors.c.client_id == client_id)).mappings()
    return {row["monitor_id"]: Monitor(**row) for row in rows}


def event_context(
    connection: Connection, client_id: str, keys: Collection[str], monitor_ids: Collection[int]
) -> EventContext:
    """Return what events of these variables, of these monitors, have to know."""
    query = select(monitors).where(monitors.c.client_id == client_id, monitors.c.monitor_id.in_(set(monitor_ids)))
    rows = connection.execute(query).mappings() if monitor_ids else ()
    found = {row["monitor_id"]: Monitor(**row) for row in rows}
    return EventContext(known_variables(connection, client_id, keys), found)


def part_context(connection: Connection, client_id: str, request_id: int, keys: Collection[str] | None) -> PartContext:
    """Return what a part of a report has to know: of variables with these keys, or, without keys, of the monitors."""
    before = report(connection, client_id, request_id)
    if keys is None:
        return PartContext(before, Known(), known_monitors(connection, client_id))
    return PartContext(before, known_variables(connection, client_id, keys), {})


def report(connection: Connection, client_id: str, request_id: int) -> Report | None:
    """Return a report."""
    query = select(reports).where(reports.c.client_id == client_id, reports.c.request_id == request_id)
    row = connection.execute(query).mappings().one_or_none()
    return Report(**row) if row is not None else None


def variables_after(
    connection: Connection,
    client_id: str,
    after: str | None,
    limit: int,
    *,
    component: str | None = None,
    variable: str | None = None,
    evse_id: int | None = None,
) -> list[list[Variable]] | None:
    """Return the variables of a charge point by name, each with its attributes; None where it is not known."""
    table = variables.c
    wanted: list[ColumnElement[bool]] = [table.client_id == client_id]
    if after is not None:
        wanted.append(table.variable_key > after)
    if component is not None:
        wanted.append(func.lower(table.component) == func.lower(component))
    if variable is not None:
        wanted.append(func.lower(table.variable) == func.lower(variable))
    if evse_id is not None:
        wanted.append(table.evse_id == evse_id)
    page = select(table.variable_key).distinct().where(*wanted).order_by(table.variable_key).limit(limit + 1)
    with snapshot(connection):
        if not is_known(connection, client_id):
            return None
        keys = list(connection.execute(page).scalars())
        of_page = (
            select(variables)
            .where(table.client_id == client_id, table.variable_key.in_(keys))
            .order_by(table.variable_key, table.attribute)
        )
        rows = [Variable(**row) for row in connection.execute(of_page).mappings()]
    return [list(attributes) for _, attributes in groupby(rows, _key)]


def monitors_after(
    connection: Connection, client_id: str, after: int | None, limit: int, *, evse_id: int | None = None
) -> list[Monitor] | None:
    """Return the monitors of a charge point by their ids; None where it is not known."""
    if not is_known(connection, client_id):
        return None
    table = monitors.c
    query = select(monitors).where(table.client_id == client_id, table.cleared_at.is_(None))
    if after is not None:
        query = query.where(table.monitor_id > after)
    if evse_id is not None:
        query = query.where(table.evse_id == evse_id)
    rows = connection.execute(query.order_by(table.monitor_id).limit(limit + 1)).mappings()
    return [Monitor(**row) for row in rows]


def _key(row: Variable) -> Any:
    return row.variable_key
