"""What the rule of authorization has to know of an id tag, read in one go: one select, and more only where it has limits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, or_, select, type_coerce

from csms.ledger.authorization import IdTag, TagFacts, TagSession, fold, is_limited, sessions_since
from csms.ledger.energy import ZERO, EnergyMeter
from csms.store.id_tags import FIELDS, get, of_row
from csms.store.progress import METER, WITH_METERS
from csms.store.tables import id_tags, tag_key, transactions

_parents = id_tags.alias("parents")
_TAG_AND_PARENT = (
    select(*(id_tags.c[name] for name in FIELDS), *(_parents.c[name].label(f"parent_{name}") for name in FIELDS))
    # The database folds as ASCII, which is all that a CiString may hold; see `_parent` for others.
    .select_from(id_tags.outerjoin(_parents, _parents.c.folded == func.lower(id_tags.c.parent_id_tag)))
    .where(id_tags.c.folded == bindparam("folded"))
)
_RUNS = transactions.c.stop_time.is_(None)
_SESSIONS = (
    select(
        transactions.c.client_id,
        transactions.c.transaction_id,
        transactions.c.id_tag,
        transactions.c.start_time,
        transactions.c.stop_time,
        transactions.c.energy_wh,
        type_coerce(case((_RUNS, METER)), transactions.c.meter.type).label("meter"),
    )
    .select_from(WITH_METERS)
    .where(
        tag_key(transactions.c.id_tag) == tag_key(bindparam("id_tag")),
        or_(_RUNS, transactions.c.stop_time >= bindparam("since", type_=transactions.c.stop_time.type)),
    )
)
_PARENTS_OF = select(id_tags.c.folded, id_tags.c.parent_id_tag).where(
    id_tags.c.folded.in_(bindparam("folded", expanding=True))
)


def tag_facts(connection: Connection, tag: str, now: datetime, running_here: Sequence[str] = ()) -> TagFacts:
    """Return what is known of a tag; ``running_here`` are the tags of the transactions that run at the charge point."""
    row = connection.execute(_TAG_AND_PARENT, {"folded": fold(tag)}).one_or_none()
    if row is None:
        return TagFacts()
    found = of_row(row[: len(FIELDS)])
    parent = _parent(connection, found, row[len(FIELDS) :])
    if not is_limited(found):
        return TagFacts(tag=found, parent=parent)
    since = sessions_since(found, now)
    return TagFacts(
        tag=found,
        parent=parent,
        sessions=_sessions(connection, tag, since) if since is not None else (),
        running_here=_with_parents(connection, running_here) if running_here else (),
    )


def _parent(connection: Connection, tag: IdTag, joined: Sequence[object]) -> IdTag | None:
    if joined[0] is not None:
        return of_row(joined)
    if tag.parent_id_tag is None or tag.parent_id_tag.isascii():
        return None
    return get(connection, tag.parent_id_tag)


def _sessions(connection: Connection, tag: str, since: datetime) -> tuple[TagSession, ...]:
    folded = fold(tag)
    rows = connection.execute(_SESSIONS, {"id_tag": tag, "since": since})
    return tuple(_session(row) for row in rows if fold(row.id_tag) == folded)


def _session(row: Any) -> TagSession:
    energy_wh = row.energy_wh or ZERO
    meter: EnergyMeter | None = row.meter
    if meter is not None:
        energy_wh = meter.so_far_wh
    return TagSession(row.client_id, row.transaction_id, row.start_time, row.stop_time, energy_wh)


def _with_parents(connection: Connection, tags: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    rows = connection.execute(_PARENTS_OF, {"folded": [fold(tag) for tag in tags]})
    parents = {row.folded: row.parent_id_tag for row in rows}
    return tuple((tag, parents.get(fold(tag))) for tag in tags)
