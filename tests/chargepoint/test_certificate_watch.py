"""The end of a certificate is announced, once: of what charge points were given, of what they come with, of the daemon's own."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from csms.chargepoint.certificate_watch import DAEMON, CertificateWatch, OwnCertificate
from csms.ledger import certificates
from csms.ledger.certificates import KIND, OWN, USED, Certificate
from csms.ledger.provisioning import Provision
from csms.ledger.state import Fact, Provisioned
from csms.store.tables import charge_points, facts
from tests.chargepoint.control import Control

DAY = timedelta(days=1)


class Site:
    """A watch with a notice of 30 days, and CP1."""

    def __init__(self):
        self.control = Control()
        self.watch = CertificateWatch(self.control.shared, self.control.registry, 30 * DAY)
        self.control.connect()

    def certificate(self, serial_number="a1", days=90):
        now = self.control.now
        return Certificate(serial_number, now - DAY, now + days * DAY)

    def install(self, certificate):
        self.control.get(
            self.control.registry.decide(
                "CP1", lambda state, context: certificates.install(state, context, certificate, None)
            )
        )

    def come_with(self, certificate):
        self.watch.came_with("CP1", certificate)
        self.control.settle()
        self.store()

    def store(self):
        """Put the facts that were committed into the fake's database, which only holds what tests put there."""
        ledger = self.control.ledger
        with ledger.database.begin() as connection:
            connection.execute(facts.delete())
            connection.execute(charge_points.delete())
            connection.execute(
                charge_points.insert(), {"client_id": "CP1", "registration": "Accepted", "allow_no_subprotocol": False}
            )
            latest = {}
            for decision in ledger.committed:
                latest.update(
                    {(item.client_id, item.kind, item.key): item for item in decision.changes if type(item) is Fact}
                )
            if latest:
                connection.execute(facts.insert(), [msgspec.structs.asdict(item) for item in latest.values()])

    def announce(self, days=0):
        """Look, after some days, twice; return which events there were."""
        if days:
            self.control.shared.now.advance(days * 86400)
        before = len(self.control.events("certificate_expiring"))
        for _ in range(2):
            self.store()
            self.control.get(self.watch.announce())
        return self.control.events("certificate_expiring")[before:]


@pytest.fixture
def site():
    return Site()


def test_what_a_charge_point_has_taken(site):
    installed = site.certificate()
    site.install(installed)
    assert site.announce(59) == []
    [expiring] = site.announce(2)
    assert (expiring.serial_number, expiring.not_after, expiring.certificate_type) == ("a1", installed.not_after, OWN)
    assert site.announce(2) == []


def test_what_it_comes_with_though_nobody_here_has_sent_it(site):
    site.come_with(site.certificate())
    [expiring] = site.announce(61)
    assert (expiring.serial_number, expiring.certificate_type) == ("a1", OWN)


def test_what_it_has_taken_and_comes_with_is_one(site):
    certificate = site.certificate()
    site.install(certificate)
    site.come_with(certificate)
    assert len(site.announce(61)) == 1


def test_an_old_one_that_is_in_use_is_told_of_though_a_new_one_was_taken(site):
    site.come_with(site.certificate("old", 20))
    site.install(site.certificate("new", 365))
    assert [expiring.serial_number for expiring in site.announce()] == ["old"]
    site.come_with(site.certificate("new", 365))
    assert site.announce(30) == []


def test_it_is_written_once(site):
    for _ in range(3):
        site.come_with(site.certificate())
    watch = site.watch = CertificateWatch(site.control.shared, site.control.registry, 30 * DAY)
    site.come_with(site.certificate())
    assert watch._seen == {"CP1": "a1"}
    written = [change for change in site.control.changes(Fact) if (change.kind, change.key) == (KIND, USED)]
    assert len(written) == 1


def test_one_that_has_not_ended_ends_the_permission_to_come_with_one_that_has(site):
    """Whoever has its old key does not come in by it, though the answer to CertificateSigned was never here."""
    control = site.control
    provisioning = control.operations.provisioning
    valid, ended = site.certificate("new"), site.certificate("old", 0)
    # As soon as it comes with it for the first time, and again where the operator gave the permission anew.
    for _ in range(2):
        control.get(provisioning.put("CP1", Provision(accept_expired_certificate=True, group_name="north")))
        site.come_with(ended)
        assert control.ledger._credentials("CP1").accept_expired_certificate
        site.come_with(valid)
        assert not control.ledger._credentials("CP1").accept_expired_certificate
        site.come_with(valid)
    rows = [(row.group_name, row.accept_expired_certificate) for row in control.changes(Provisioned)]
    assert rows == [("north", True), ("north", False)] * 2


def test_the_daemons_own(site, logged):
    shown = [
        OwnCertificate("server.pem", site.certificate("s1")),
        OwnCertificate("other.pem", site.certificate("s2", 365)),
    ]
    site.watch.own = lambda: shown
    assert site.announce(59) == []
    [expiring] = site.announce(2)
    assert (expiring.serial_number, expiring.certificate_type) == ("s1", "ServerCertificate")
    assert site.control.ledger.events(DAEMON) == ["certificate_expiring"]
    assert {event["file"] for event in logged.events if "file" in event} == {"server.pem"}
    # A new one is another.
    shown[0] = OwnCertificate("server.pem", site.certificate("s3", 10))
    assert [expiring.serial_number for expiring in site.announce()] == ["s3"]


def test_a_revocation_list_that_runs_out(site, logged):
    now = site.control.now
    site.watch.lists_end = lambda: {"CN=Soon": now + DAY, "CN=Later": now + 3 * DAY}
    site.announce()
    assert {event["authority"] for event in logged.events if "authority" in event} == {"CN=Soon"}
