"""What rules need to know beside the state in memory, read from the store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
)

from csms.ledger.cost import Tariff
from csms.ledger.readings import Known
from csms.ledger.remote_starts import REMOTE_STARTS
from csms.ledger.state import (
    ChargePoint,
    ChargePointState,
    Connector,
    Credentials,
    EvseConnector,
    Finished,
    Registration,
    Reservation,
    Transaction,
)
from csms.ledger.streams import STREAMS
from csms.ledger.transactions import StartRequest
from csms.ocppj.versions import V16, V21
from csms.store.certificates import names_of
from csms.store.facts import fact
from csms.store.progress import IS_RUNNING, TRANSACTIONS
from csms.store.snapshot import snapshot
from csms.store.tables import (
    charge_points,
    connectors,
    event_sequences,
    evse_connectors,
    meter_readings,
    queued_commands,
    reservations,
    tariffs,
    transactions,
    wanted_configuration,
)

_CLIENT: BindParameter[str] = bindparam("client_id")
_CHARGE_POINT = select(charge_points).where(charge_points.c.client_id == _CLIENT)
_CREDENTIALS = select(
    charge_points.c.allow_no_subprotocol,
    charge_points.c.security_profile,
    charge_points.c.certificate_name,
    charge_points.c.accept_expired_certificate,
    charge_points.c.password_hash,
    charge_points.c.new_password_hashes,
).where(charge_points.c.client_id == _CLIENT)
_SEQUENCE = select(event_sequences.c.sequence).where(event_sequences.c.client_id == _CLIENT)
_LATEST_READING = select(func.max(meter_readings.c.taken_at)).where(meter_readings.c.client_id == _CLIENT)
_LATEST_START = select(func.max(transactions.c.start_time)).where(transactions.c.client_id == _CLIENT)
_CONNECTORS = select(connectors).where(connectors.c.client_id == _CLIENT)
_EVSES = select(evse_connectors).where(evse_connectors.c.client_id == _CLIENT)
_RUNNING = TRANSACTIONS.where(transactions.c.client_id == _CLIENT, IS_RUNNING)
_TRANSACTION = TRANSACTIONS.where(
    transactions.c.transaction_id == bindparam("transaction_id"), transactions.c.client_id == _CLIENT
)
_OF_STATION = (
    TRANSACTIONS.where(
        transactions.c.client_id == _CLIENT,
        transactions.c.station_transaction_id == bindparam("station_transaction_id"),
    )
    .order_by(transactions.c.transaction_id.desc())
    .limit(1)
)
_STARTED_AT = (
    TRANSACTIONS.where(transactions.c.client_id == _CLIENT, transactions.c.start_time == bindparam("start_time"))
    .order_by(transactions.c.transaction_id.desc())
    .limit(1000)
)
_READINGS_AT = select(meter_readings.c.connector_id, meter_readings.c.taken_at, meter_readings.c.samples).where(
    meter_readings.c.client_id == _CLIENT, meter_readings.c.taken_at.in_(bindparam("times", expanding=True))
)
_RESERVED = select(reservations).where(reservations.c.client_id == _CLIENT, reservations.c.status == "ACTIVE")
_LAPSED = (
    select(reservations)
    .where(reservations.c.client_id == _CLIENT, reservations.c.status == "EXPIRED")
    .order_by(reservations.c.expiry_date.desc())
    .limit(16)
)
_GROUP = select(charge_points.c.group_name).where(charge_points.c.client_id == _CLIENT).scalar_subquery()
_IS_ASKED_FOR = select(
    exists().where(queued_commands.c.client_id == _CLIENT).label("has_queued"),
    exists()
    .where(
        or_(
            and_(wanted_configuration.c.scope == "chargepoint", wanted_configuration.c.name == _CLIENT),
            and_(wanted_configuration.c.scope == "group", wanted_configuration.c.name == _GROUP),
        )
    )
    .label("has_wishes"),
)
_TARIFF = select(*(tariffs.c[name] for name in Tariff.__struct_fields__)).where(
    tariffs.c.tariff_id == bindparam("tariff_id")
)
_ENDED = (
    select(
        transactions.c.connector_id,
        transactions.c.transaction_id,
        transactions.c.start_time,
        transactions.c.stop_time,
    )
    .where(transactions.c.client_id == _CLIENT, transactions.c.status != "active")
    .order_by(transactions.c.transaction_id.desc())
    .limit(16)
)
_NONE: dict[int, Any] = {}
"""One for all charge points that have none of something: rules never change a state's parts, they make new ones."""
_NO_PARTS: dict[tuple[str, int], Any] = {}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
Kind = TypeVar("Kind")


def charge_point_state(connection: Connection, client_id: str, registration: Registration) -> ChargePointState:
    """Return the state of a charge point; an unknown one is made with the registration that the operator wants for it."""
    with snapshot(connection):
        return state_of(connection, client_id, registration)


def arrival(connection: Connection, client_id: str, registration: Registration) -> tuple[Credentials, ChargePointState]:
    """Return what is asked of a charge point that comes, and its state."""
    with snapshot(connection):
        row = _charge_point_row(connection, client_id)
        return _credentials_of(connection, client_id, row), _state_of(connection, client_id, registration, row)


def state_of(connection: Connection, client_id: str, registration: Registration) -> ChargePointState:
    """As `charge_point_state`, within a transaction of the caller's."""
    return _state_of(connection, client_id, registration, _charge_point_row(connection, client_id))


def _charge_point_row(connection: Connection, client_id: str) -> Row[Any] | None:
    return connection.execute(_CHARGE_POINT, {"client_id": client_id}).one_or_none()


def _state_of(
    connection: Connection, client_id: str, registration: Registration, row: Row[Any] | None
) -> ChargePointState:
    wanted = {"client_id": client_id}
    latest = connection.execute(_LATEST_READING, wanted).scalar_one()
    asked = connection.execute(_IS_ASKED_FOR, wanted).one()
    # One that was deleted and comes again goes on with its numbers, and with the transactions that it left.
    charge_point = (
        _as(ChargePoint, row) if row is not None else ChargePoint(client_id=client_id, registration=registration)
    )
    return ChargePointState(
        charge_point=charge_point,
        is_new=row is None,
        registered=charge_point.registered,
        sequence=connection.execute(_SEQUENCE, wanted).scalar_one_or_none() or 0,
        readings_known_since=latest or _LONG_AGO,
        latest_start=connection.execute(_LATEST_START, wanted).scalar_one() or _LONG_AGO,
        connectors=_by("connector_id", Connector, connection.execute(_CONNECTORS, wanted)),
        evses=_by("connector_id", EvseConnector, connection.execute(_EVSES, wanted)),
        running=_by("transaction_id", Transaction, connection.execute(_RUNNING, wanted)),
        finished=_finished(connection, client_id),
        reservations=_by("reservation_id", Reservation, connection.execute(_RESERVED, wanted)),
        lapsed=_by("reservation_id", Reservation, connection.execute(_LAPSED, wanted)),
        has_queued=bool(asked.has_queued),
        has_wishes=bool(asked.has_wishes),
        latest_reading=_NONE,
        registers=_NONE,
        reports=_NONE,
        parts=_NO_PARTS,
        tariff=tariff(connection, charge_point.tariff_id) if charge_point.tariff_id is not None else None,
        streams=_numbered(connection, client_id, STREAMS) if charge_point.version == V21.name else _NONE,
        remote_starts=(
            _numbered(connection, client_id, REMOTE_STARTS) if charge_point.version not in (None, V16.name) else _NONE
        ),
    )


def _numbered(connection: Connection, client_id: str, kind: str) -> dict[int, Any]:
    known = fact(connection, client_id, kind, "") or {}
    return {int(number): value for number, value in known.items()} or _NONE


def credentials(connection: Connection, client_id: str) -> Credentials:
    """Return what is asked of somebody who says that he is this charge point."""
    row: Any = connection.execute(_CREDENTIALS, {"client_id": client_id}).one_or_none()
    return _credentials_of(connection, client_id, row)


def _credentials_of(connection: Connection, client_id: str, row: Row[Any] | None) -> Credentials:
    names = names_of(connection, client_id, row.certificate_name if row is not None else None)
    if row is None:
        return Credentials(certificate_names=names)
    return Credentials(
        is_known=True,
        certificate_names=names,
        accept_expired_certificate=row.accept_expired_certificate,
        allow_no_subprotocol=row.allow_no_subprotocol,
        security_profile=row.security_profile or 0,
        password_hash=row.password_hash,
        new_password_hashes=tuple((row.new_password_hashes or "").split()),
    )


def tariff(connection: Connection, tariff_id: str) -> Tariff | None:
    """Return a tariff."""
    row = connection.execute(_TARIFF, {"tariff_id": tariff_id}).one_or_none()
    return None if row is None else _as(Tariff, row)


def transaction(connection: Connection, client_id: str, transaction_id: int) -> Transaction | None:
    """Return a transaction of this charge point; another's is none of its business (CVE-2026-28230)."""
    row = connection.execute(_TRANSACTION, {"client_id": client_id, "transaction_id": transaction_id}).one_or_none()
    return None if row is None else _as(Transaction, row)


def station_transaction(
    connection: Connection, client_id: str, station_transaction_id: str, times: Iterable[datetime]
) -> tuple[Transaction | None, Known]:
    """Return the latest transaction that a station has under an id of its own, and readings that came before."""
    wanted = {"client_id": client_id, "station_transaction_id": station_transaction_id}
    row = connection.execute(_OF_STATION, wanted).one_or_none()
    return None if row is None else _as(Transaction, row), known_readings(connection, client_id, times)


def earlier_start(connection: Connection, client_id: str, request: StartRequest) -> Transaction | None:
    """Return the stored transaction that a start repeats, if it does."""
    rows = connection.execute(_STARTED_AT, {"client_id": client_id, "start_time": request.instant.at})
    return next((found for row in rows if request.repeats(found := _as(Transaction, row))), None)


def known_readings(connection: Connection, client_id: str, times: Iterable[datetime]) -> Known:
    """Return the readings of these times that are stored already."""
    wanted = list(times)
    if not wanted:
        return frozenset()
    rows = connection.execute(_READINGS_AT, {"client_id": client_id, "times": wanted})
    return frozenset((row.connector_id, row.taken_at, row.samples) for row in rows)


def readings_context(
    connection: Connection, client_id: str, transaction_id: int | None, times: Iterable[datetime]
) -> tuple[Transaction | None, Known]:
    """Return what meter values have to know: their transaction where it does not run, and readings that came before."""
    return (
        transaction(connection, client_id, transaction_id) if transaction_id is not None else None,
        known_readings(connection, client_id, times),
    )


def transaction_of_any(connection: Connection, transaction_id: int) -> Transaction | None:
    """Return a transaction, whichever charge point's it is."""
    row = connection.execute(TRANSACTIONS.where(transactions.c.transaction_id == transaction_id)).one_or_none()
    return None if row is None else _as(Transaction, row)


def reservations_over(connection: Connection, gateway_id: str, now: datetime) -> list[str]:
    """Return the charge points that have reservations whose time is over, but for those that other daemons hold."""
    elsewhere = and_(charge_points.c.connected_since.is_not(None), charge_points.c.gateway_id != gateway_id)
    query = (
        select(reservations.c.client_id)
        .distinct()
        .outerjoin(charge_points, charge_points.c.client_id == reservations.c.client_id)
        .where(
            reservations.c.status == "ACTIVE",
            reservations.c.expiry_date <= now,
            or_(charge_points.c.client_id.is_(None), not_(elsewhere)),
        )
    )
    return list(connection.execute(query).scalars())


def held_by(connection: Connection, gateway_id: str) -> list[str]:
    """Return the charge points that a daemon holds, by the ledger."""
    query = select(charge_points.c.client_id).where(
        charge_points.c.gateway_id == gateway_id, charge_points.c.connected_since.is_not(None)
    )
    return list(connection.execute(query).scalars())


def _by(key: str, kind: type[Kind], rows: Iterable[Row[Any]]) -> dict[int, Kind]:
    return {getattr(row, key): _as(kind, row) for row in rows} or _NONE


def _finished(connection: Connection, client_id: str) -> dict[int, Finished]:
    rows = connection.execute(_ENDED, {"client_id": client_id})
    finished: dict[int, Finished] = {}
    for row in rows:
        finished.setdefault(row.connector_id, Finished(row.transaction_id, row.start_time, row.stop_time))
    return finished or _NONE


def _as(kind: type[Kind], row: Row[Any]) -> Kind:
    """Make a structure of a row that has its fields as columns."""
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    values = row._mapping  # noqa: SLF001 - its public name for a row by column names
    return kind(**{name: values[name] for name in fields})
