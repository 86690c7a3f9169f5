"""Which certificates of charge points end soon, which are asked for, how long they may be, and whom their names belong to.

See `csms.ledger.certificates`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, func, not_, or_, select

from csms.ledger.certificates import KIND, NOTICE, OWN, REQUEST, USED, Certificate, Notice, SigningRequest
from csms.ledger.variables import ACTUAL, VariableName
from csms.store.tables import charge_points, configuration, facts, variables


def ending(connection: Connection, gateway_id: str, before: datetime) -> list[tuple[str, str, Certificate]]:
    """Return what ends before a time and was not announced, but for what other daemons hold: client id, key, certificate.

    A charge point has one or two of them: all are looked through. One that it was given and comes with is one.
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
        (client_id, key, certificate)
        for (client_id, key), certificate in found.items()
        if announced.get((client_id, key)) != certificate.serial_number
        and not (key == USED and found.get((client_id, OWN)) == certificate)
    ]


def certificate_in_use(connection: Connection, client_id: str) -> Certificate | None:
    """Return the certificate that a charge point came with last, as far as that is known."""
    query = select(facts.c.value).where(facts.c.client_id == client_id, facts.c.kind == KIND, facts.c.key == USED)
    value = connection.execute(query).scalar_one_or_none()
    return msgspec.json.decode(value, type=Certificate) if value is not None else None


_REQUEST = and_(facts.c.kind == REQUEST, facts.c.key == OWN)


def signing_request(connection: Connection, client_id: str) -> SigningRequest | None:
    """Return what is asked, or was signed and is on its way, for a charge point, None where nothing is open."""
    query = select(facts.c.value).where(facts.c.client_id == client_id, _REQUEST)
    value = connection.execute(query).scalar_one_or_none()
    if value is None:
        return None
    request = msgspec.json.decode(value, type=SigningRequest)
    return None if request.is_settled else request


def unanswered_requests(connection: Connection, gateway_id: str) -> list[tuple[str, SigningRequest]]:
    """Return what another authority has not answered yet of the charge points that this daemon held last."""
    return [(client_id, request) for client_id, request in _open(connection, gateway_id) if not request.is_answered]


def chains_to_send(connection: Connection, gateway_id: str) -> list[tuple[str, SigningRequest]]:
    """Return what was signed for the charge points that this daemon held last, and what they have not answered yet."""
    return [(client_id, request) for client_id, request in _open(connection, gateway_id) if request.chain is not None]


def _open(connection: Connection, gateway_id: str) -> list[tuple[str, SigningRequest]]:
    query = (
        select(facts.c.client_id, facts.c.value)
        .join(charge_points, charge_points.c.client_id == facts.c.client_id)
        .where(_REQUEST, charge_points.c.gateway_id == gateway_id)
    )
    found = [
        (client_id, msgspec.json.decode(value, type=SigningRequest)) for client_id, value in connection.execute(query)
    ]
    return [(client_id, request) for client_id, request in found if not request.is_settled]


def certificate_names(connection: Connection, client_id: str) -> frozenset[str]:
    """Return the CNs that name a charge point and nobody else: its identity, and what the operator gave it.

    An identity that the operator gave to another one as a CN is that one's.
    """
    own = select(charge_points.c.certificate_name).where(charge_points.c.client_id == client_id)
    return names_of(connection, client_id, connection.execute(own).scalar_one_or_none())


def names_of(connection: Connection, client_id: str, certificate_name: str | None) -> frozenset[str]:
    """As `certificate_names`, of one that has this CN by its row."""
    names = {client_id, certificate_name} - {None}
    named = charge_points.c.certificate_name
    query = select(named).where(named.in_(names), charge_points.c.client_id != client_id)
    return frozenset(name for name in names if name is not None) - set(connection.execute(query).scalars())


def who_is_named(connection: Connection, certificate_name: str) -> frozenset[str]:
    """Return the charge points that a CN names, by their identity or by the operator's word."""
    query = select(charge_points.c.client_id).where(
        or_(charge_points.c.client_id == certificate_name, charge_points.c.certificate_name == certificate_name)
    )
    return frozenset(connection.execute(query).scalars())


_LONGEST_KEY = "certificatesignedmaxchainsize"
_LONGEST_VARIABLE = VariableName("SecurityCtrlr", "MaxCertificateChainSize").key


def longest_chain(connection: Connection, client_id: str) -> int | None:
    """Return how many characters of a chain a charge point takes, None where it has not told.

    ``CertificateSignedMaxChainSize`` in OCPP 1.6 (security whitepaper §7.3), ``SecurityCtrlr.MaxCertificateChainSize`` in 2.x.
    """
    by_key = select(configuration.c.value).where(
        configuration.c.client_id == client_id, func.lower(configuration.c.key) == _LONGEST_KEY
    )
    by_variable = select(variables.c.value).where(
        variables.c.client_id == client_id,
        variables.c.variable_key == _LONGEST_VARIABLE,
        variables.c.attribute == ACTUAL,
    )
    told = [value for query in (by_key, by_variable) for value in connection.execute(query).scalars()]
    return min((int(value) for value in told if value and value.isdecimal() and int(value) > 0), default=None)
