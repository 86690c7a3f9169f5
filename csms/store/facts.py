"""What is known of a charge point by kind and key (`csms.ledger.state.Fact`)."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, select

from csms.store.tables import facts

_CLIENT: BindParameter[str] = bindparam("client_id")
_FACT = select(facts.c.value).where(
    facts.c.client_id == _CLIENT, facts.c.kind == bindparam("kind"), facts.c.key == bindparam("key")
)


def fact(connection: Connection, client_id: str, kind: str, key: str) -> Any | None:
    """Return the value of a fact, None where nothing is known."""
    value = connection.execute(_FACT, {"client_id": client_id, "kind": kind, "key": key}).scalar_one_or_none()
    return None if value is None else msgspec.json.decode(value)
