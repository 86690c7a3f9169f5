"""Writing what the operator provisions: tariffs, and charge points that are to be forgotten."""

from __future__ import annotations

from msgspec import structs
from sqlalchemy import Connection, delete

from csms.ledger.cost import Tariff
from csms.store.tables import (
    charge_points,
    configuration,
    configuration_results,
    connectors,
    deviations,
    messages,
    monitors,
    queued_commands,
    reports,
    station_tariffs,
    tariffs,
    variables,
    wanted_configuration,
)
from csms.store.upsert import upsert


def put_tariff(connection: Connection, tariff_id: str, tariff: Tariff) -> None:
    """Write a tariff."""
    row = {"tariff_id": tariff_id, **structs.asdict(tariff)}
    connection.execute(upsert(tariffs, connection.dialect.name, row), row)


def delete_tariff(connection: Connection, tariff_id: str) -> bool:
    """Delete a tariff; tell whether there was one. Charge points that had it have the default from then on."""
    return connection.execute(delete(tariffs).where(tariffs.c.tariff_id == tariff_id)).rowcount > 0


def delete_charge_point(connection: Connection, client_id: str) -> bool:
    """Forget a charge point; tell whether it was known.

    Its transactions, readings, reservations and events stay, and so does its sequence: should it come again it goes on.
    """
    wanted = wanted_configuration
    connection.execute(delete(wanted).where(wanted.c.scope == "chargepoint", wanted.c.name == client_id))
    for table in (
        connectors,
        configuration,
        configuration_results,
        deviations,
        messages,
        monitors,
        queued_commands,
        reports,
        station_tariffs,
        variables,
    ):
        connection.execute(delete(table).where(table.c.client_id == client_id))
    return connection.execute(delete(charge_points).where(charge_points.c.client_id == client_id)).rowcount > 0
