"""Passwords in the ledger, on both databases: only the operator writes them, and new ones count beside the old one."""

from __future__ import annotations

from functools import partial

import pytest
import pytest_twisted
from msgspec.structs import replace

from csms.ledger import certificates, chargepoints, provisioning
from csms.ledger.certificates import Certificate
from csms.ledger.decision import Context
from csms.ledger.provisioning import Provision
from csms.ledger.state import Credentials
from csms.store import passwords, queries
from csms.store import provisioning as operator
from csms.store.certificates import certificate_names, who_is_named
from tests.fakes import GATEWAY, NOW, EventIds

IDS = EventIds()
OWN = frozenset({"CP1"})
CONTEXT = Context(NOW, None, GATEWAY, IDS)


async def _provision(store, **changes):
    await store.decide(
        "CP1", "Pending", lambda state: provisioning.provision(state, CONTEXT, Provision(**changes), None)
    )


def _credentials(store, client_id="CP1"):
    return store.read(queries.credentials, client_id)


@pytest_twisted.ensureDeferred
async def test_an_unknown_one_has_no_credentials(store):
    assert await _credentials(store) == Credentials(certificate_names=OWN)


@pytest_twisted.ensureDeferred
async def test_a_password_comes_with_the_row_and_stays_when_other_things_change(store):
    await _provision(store, password_hash="$old", security_profile=2, allow_no_subprotocol=True)
    expected = Credentials(
        is_known=True, certificate_names=OWN, allow_no_subprotocol=True, security_profile=2, password_hash="$old"
    )
    assert await _credentials(store) == expected
    await _provision(store, registration="Rejected", allow_no_subprotocol=False)
    assert await _credentials(store) == replace(expected, allow_no_subprotocol=False)
    await _provision(store, password_hash="$other")
    state = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert (state.charge_point.registration, state.charge_point.security_profile) == ("Rejected", 2)
    await _provision(store, password_hash=None, security_profile=None)
    assert await _credentials(store) == Credentials(is_known=True, certificate_names=OWN)


@pytest_twisted.ensureDeferred
async def test_a_password_of_a_row_that_is_there_changes_nothing_else(store):
    state = await store.read(queries.charge_point_state, "CP1", "Accepted")
    connected = chargepoints.connect(state, CONTEXT, version="1.6", remote_address=None)
    booted = chargepoints.boot(
        connected.state, CONTEXT, vendor="V", model="M", serial_number=None, firmware_version=None
    )
    await store.commit(connected)
    await store.commit(booted)
    await _provision(store, password_hash="$old")
    # The session's own word about the row comes later, and knows of no password.
    await store.commit(chargepoints.disconnect(booted.state, CONTEXT, reason="gone"))
    after = (await store.read(queries.charge_point_state, "CP1", "Pending")).charge_point
    assert (after.vendor, after.registration, after.is_online) == ("V", "Accepted", False)
    assert (await _credentials(store)).password_hash == "$old"


@pytest_twisted.ensureDeferred
async def test_new_passwords_count_beside_the_old_one_until_one_of_them_is_used(store):
    await _provision(store, password_hash="$old")
    await store.write(partial(passwords.add_new, client_id="CP1", new="$new1"))
    await store.write(partial(passwords.add_new, client_id="CP1", new="$new2"))
    assert (await _credentials(store)).hashes == ("$old", "$new1", "$new2")
    await store.write(partial(passwords.drop_new, client_id="CP1", new="$new1"))
    assert (await _credentials(store)).hashes == ("$old", "$new2")
    assert not await store.write(partial(passwords.renew, client_id="CP1", new="$new1"))
    assert await store.write(partial(passwords.renew, client_id="CP1", new="$new2"))
    assert await _credentials(store) == Credentials(is_known=True, certificate_names=OWN, password_hash="$new2")
    assert not await store.write(partial(passwords.renew, client_id="CP1", new="$new2"))


@pytest_twisted.ensureDeferred
async def test_there_are_not_too_many(store):
    await _provision(store)
    for number in range(passwords.MOST_NEW):
        await store.write(partial(passwords.add_new, client_id="CP1", new=f"${number}"))
    with pytest.raises(passwords.TooManyNew):
        await store.write(partial(passwords.add_new, client_id="CP1", new="$more"))
    assert len((await _credentials(store)).hashes) == passwords.MOST_NEW


@pytest_twisted.ensureDeferred
async def test_what_the_operator_sets_ends_what_is_on_its_way(store):
    await _provision(store, password_hash="$old")
    await store.write(partial(passwords.add_new, client_id="CP1", new="$new"))
    await _provision(store, password_hash="$other")
    assert (await _credentials(store)).hashes == ("$other",)
    assert not await store.write(partial(passwords.renew, client_id="CP1", new="$new"))


@pytest_twisted.ensureDeferred
async def test_a_charge_point_that_is_forgotten_leaves_no_password(store):
    await _provision(store, password_hash="$old")
    await store.write(partial(passwords.add_new, client_id="CP1", new="$new"))
    assert await store.write(partial(operator.delete_charge_point, client_id="CP1"))
    assert await _credentials(store) == Credentials(certificate_names=OWN)


async def _name(store, client_id, name):
    changes = Provision(certificate_name=name)
    await store.decide(client_id, "Accepted", lambda state: provisioning.provision(state, CONTEXT, changes, None))


@pytest_twisted.ensureDeferred
async def test_a_certificate_names_its_charge_point_and_no_other(store):
    await _name(store, "CP1", "SN-1")
    assert (await _credentials(store)).certificate_names == {"CP1", "SN-1"}
    assert await store.read(who_is_named, "SN-1") == await store.read(who_is_named, "CP1") == {"CP1"}
    # One that comes as what is another's name is not let in by that one's certificate; known or not.
    assert (await _credentials(store, "SN-1")).certificate_names == frozenset()
    assert await store.read(certificate_names, "SN-1") == frozenset()
    await _name(store, "SN-1", "SN-2")
    assert (await _credentials(store, "SN-1")).certificate_names == {"SN-2"}
    assert await store.read(certificate_names, "SN-1") == {"SN-2"}
    _, state = await store.read(queries.arrival, "CP1", "Accepted")
    assert state.charge_point.certificate_name == "SN-1"
    await _name(store, "CP1", None)
    assert (await _credentials(store)).certificate_names == OWN
    assert (await _credentials(store, "SN-1")).certificate_names == {"SN-1", "SN-2"}


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_has_ended_is_taken_where_the_operator_says_so_until_there_is_a_new_one(store):
    await _provision(store, accept_expired_certificate=True, group_name="north")
    assert (await _credentials(store)).accept_expired_certificate
    ended = Certificate("a1", NOW, NOW)

    def take(state):
        return certificates.install(replace(state, has_expired_certificate=True), CONTEXT, ended, None)

    await store.decide("CP1", "Accepted", take)
    credentials, state = await store.read(queries.arrival, "CP1", "Pending")
    assert not credentials.accept_expired_certificate
    assert (state.charge_point.registration, state.charge_point.group_name) == ("Pending", "north")


@pytest_twisted.ensureDeferred
async def test_a_name_that_two_daemons_gave_at_once_is_nobodys(store):
    await _name(store, "CP1", "SN-1")
    await _name(store, "CP2", "SN-1")
    for client_id in ("CP1", "CP2"):
        credentials, _ = await store.read(queries.arrival, client_id, "Accepted")
        assert credentials.certificate_names == {client_id}
