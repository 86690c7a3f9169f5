"""Which tariffs charge points have, as far as their answers told (OCPP 2.1)."""

from __future__ import annotations

from sqlalchemy import Connection, select, true

from csms.ledger.state import StationTariff
from csms.store.tables import station_tariffs


def installed_tariffs(connection: Connection, client_id: str) -> list[StationTariff]:
    """Return the tariffs of a charge point, by EVSE."""
    table = station_tariffs.c
    query = (
        select(station_tariffs)
        .where(table.client_id == client_id, table.is_installed == true())
        .order_by(table.evse_id, table.tariff_id)
    )
    return [StationTariff(**row) for row in connection.execute(query).mappings()]
