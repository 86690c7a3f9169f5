"""Which certificates of charge points end soon (`csms.ledger.certificates`)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, not_, select

from csms.ledger.certificates import KIND, NOTICE, Certificate, Notice
from csms.store.tables import charge_points, facts


def ending(connection: Connection, gateway_id: str, before: datetime) -> list[tuple[str, str, Certificate]]:
    """Return what ends before a time and was not announced, but for what other daemons hold: client id, key, certificate.

    A charge point has one or two of them: all are looked through.
    """
    elsewhere = and_(charge_points.c.connected_since.is_not(None), charge_points.c.gateway_id != gateway_id)
    query = (
        select(facts.c.client_id, facts.c.kind, facts.c.key, facts.c.value)
        .join(charge_points, charge_points.c.client_id == facts.c.client_id)
        .where(facts.c.kind.in_([KIND, NOTICE]), not_(elsewhere))
    )
    found: dict[tuple[str, str], Certificate] = {}
    announced: dict[tuple[str, str], str] = {}
    for client_id, kind, key, value in connection.execute(query):
        if kind == NOTICE:
            announced[client_id, key] = msgspec.json.decode(value, type=Notice).serial_number
            continue
        certificate = msgspec.json.decode(value, type=Certificate)
        if certificate.not_after <= before:
            found[client_id, key] = certificate
    return [
        (*place, certificate)
        for place, certificate in found.items()
        if announced.get(place) != certificate.serial_number
    ]
