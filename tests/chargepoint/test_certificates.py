"""SignCertificate and what follows from it, in every version; the end of a certificate is announced."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import orjson
import pytest
from attrs import define, field
from cryptography import x509
from twisted.internet.defer import Deferred

from csms import certificates
from csms.authority.signing import CertificateAuthority
from csms.chargepoint.certificates import Certificates
from csms.chargepoint.dispatch import Dispatcher
from csms.handlers import families
from csms.handlers.certificate_requests import Signing
from csms.handlers.request import Policy
from csms.ledger.certificates import KIND
from csms.ledger.state import Fact, Record
from csms.ocppj.versions import V16, V21, V201
from tests.chargepoint.control import Control
from tests.fakes import FakeLedger
from tests.signing_requests import ORGANIZATION, names, pem, request

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}
VERSIONS = [V16, V201, V21]
TYPES = ("certificate_signed", "certificate_installed", "certificate_refused")
DAY = timedelta(days=1)


@define
class Threads:
    """Stands for a thread pool: a job is done when the test says so, or at once."""

    waits: bool = False
    jobs: list = field(factory=list)

    def run(self, function, *arguments):
        done = Deferred()
        self.jobs.append(lambda: done.callback(function(*arguments)))
        if not self.waits:
            self.work()
        return done

    def work(self):
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


@define
class Site:
    """A daemon with an authority, and one charge point."""

    control: Control
    charger: object
    threads: Threads
    authority: object

    def ask(self, csr=None, **members):
        self.charger.say("SignCertificate", {"csr": csr or pem(request()[0]), **members})
        self.control.settle()

    @property
    def answers(self):
        """The statuses that it was answered."""
        frames = [orjson.loads(text) for text in self.charger.sent]
        return [frame[2]["status"] for frame in frames if frame[0] == 3 and set(frame[2]) == {"status"}]

    @property
    def sent(self):
        return [payload for action, payload in self.charger.calls if action == "CertificateSigned"]

    @property
    def events(self):
        return self.control.events(*TYPES)


def make(tmp_path, version, waits=False):
    control = Control()
    now = control.now
    made = certificates.new_authority(
        certificates.name_of("CA", ORGANIZATION), certificates.new_key("ecdsa"), now - DAY, 4000 * DAY
    )
    (tmp_path / "ca.pem").write_bytes(certificates.certificate_pem(made.certificate))
    threads = Threads()
    key = certificates.key_pem(made.key).decode()
    authority = CertificateAuthority(threads.run, str(tmp_path / "ca.pem"), key, ORGANIZATION, 90 * DAY)
    control.get(authority.load())
    signing = Signing(authority, control.names)
    for known in VERSIONS:
        answering = families.handlers(known, control.ledger, Policy(), None, None, signing)
        control.shared.dispatchers[known] = Dispatcher.of(known, answering)
    Certificates(control.shared, control.registry, control.commands, 30 * DAY).serve(signing, authority)
    charger = control.connect(version=version)
    charger.answers["CertificateSigned"] = ACCEPTED
    threads.waits = waits
    return Site(control, charger, threads, made)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_is_signed_and_sent_after_the_answer(tmp_path, version):
    site = make(tmp_path, version)
    asked, key = request()
    site.ask(pem(asked))
    kinds = [orjson.loads(text) for text in site.charger.sent]
    answer = next(index for index, frame in enumerate(kinds) if frame[0] == 3 and frame[2] == ACCEPTED)
    call = next(index for index, frame in enumerate(kinds) if frame[0] == 2 and frame[2] == "CertificateSigned")
    assert answer < call
    [payload] = site.sent
    assert set(payload) == {"certificateChain"}
    leaf = x509.load_pem_x509_certificate(payload["certificateChain"].encode())
    leaf.verify_directly_issued_by(site.authority.certificate)
    assert (leaf.subject, leaf.public_key()) == (names(), key.public_key())
    signed, installed = site.events
    assert signed.serial_number == installed.serial_number == f"{leaf.serial_number:x}"
    assert signed.not_after == leaf.not_valid_after_utc
    [fact] = [change for change in site.control.changes(Fact) if change.kind == KIND]
    assert fact.key == "ChargingStationCertificate"
    assert msgspec.json.decode(fact.value)["serialNumber"] == signed.serial_number


def test_type_and_request_id_come_back(tmp_path):
    site = make(tmp_path, V21)
    site.ask(certificateType="ChargingStationCertificate", requestId=42)
    [payload] = site.sent
    assert (payload["certificateType"], payload["requestId"]) == ("ChargingStationCertificate", 42)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_request_for_another_is_rejected_with_a_reason(tmp_path, version, logged):
    site = make(tmp_path, version)
    site.ask(pem(request(names("CP2"))[0]))
    assert site.answers == ["Rejected"]
    assert site.sent == []
    [refused] = site.events
    assert refused.reason.startswith("its CN is 'CP2': allowed is the identity of the charge point")
    assert any("CP2" in str(event.get("reason")) for event in logged.events)


@pytest.mark.parametrize("certificate_type", ["V2GCertificate", "V2G20Certificate"])
def test_a_type_without_an_authority(tmp_path, certificate_type):
    site = make(tmp_path, V21)
    site.ask(certificateType=certificate_type)
    assert (site.answers, site.sent) == (["Rejected"], [])
    assert site.events[0].reason == f"no authority for {certificate_type}"


def test_a_charge_point_that_does_not_take_it(tmp_path):
    site = make(tmp_path, V16)
    site.charger.answers["CertificateSigned"] = REJECTED
    site.ask()
    signed, refused = site.events
    assert (refused.serial_number, refused.reason) == (signed.serial_number, "the charge point does not take it")
    assert [change for change in site.control.changes(Fact) if change.kind == KIND] == []


def test_nothing_else_is_signed_until_the_last_one_is_settled(tmp_path):
    site = make(tmp_path, V16)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.ask()
    assert site.answers == ["Accepted", "Rejected"]
    site.control.advance(60)
    site.charger.answers["CertificateSigned"] = ACCEPTED
    site.ask()
    assert site.answers == ["Accepted", "Rejected", "Accepted"]
    assert len(site.sent) == 2


def test_no_answer_before_the_thread_has_looked_at_it(tmp_path):
    site = make(tmp_path, V16, waits=True)
    site.ask()
    assert site.answers == []
    site.threads.work()
    site.control.settle()
    assert (site.answers, site.sent) == (["Accepted"], [])
    site.threads.work()
    site.control.settle()
    assert len(site.sent) == 1


def test_one_that_left_gets_it_when_it_is_back(tmp_path):
    site = make(tmp_path, V16, waits=True)
    site.ask()
    site.threads.work()
    site.control.settle()
    site.control.lose(site.charger)
    site.threads.work()
    site.control.settle()
    assert site.sent == []
    back = site.control.connect()
    assert back.actions.count("CertificateSigned") == 1


def test_without_an_authority_it_stays_rejected():
    control = Control()
    charger = control.connect()
    charger.say("SignCertificate", {"csr": pem(request()[0])})
    control.settle()
    assert orjson.loads(charger.sent[-1])[2] == REJECTED
    assert control.events(*TYPES) == []


@pytest.mark.parametrize(
    ("version", "kind"),
    [(V16, "CentralSystemRootCertificate"), (V201, "CSMSRootCertificate"), (V21, "CSMSRootCertificate")],
)
def test_a_root_that_the_one_before_has_not_signed_is_told_as_rejected(version, kind):
    """With AdditionalRootCertificateCheck the charge point says no (M05.FR.10 in 1.6, M05.FR.11 in 2.x)."""
    control = Control()
    control.connect(version=version).answers["InstallCertificate"] = REJECTED
    asked = {"certificateType": kind, "certificate": pem(request()[0])}
    assert control.send("InstallCertificate", asked) == REJECTED
    [record] = [change for change in control.changes(Record) if change.kind == "InstallCertificate"]
    assert orjson.loads(record.body)["response"] == REJECTED
    assert control.events(*TYPES) == []


def test_the_end_is_announced_once(tmp_path):
    site = make(tmp_path, V16)
    site.ask()
    [signed, _installed] = site.events
    control = site.control
    _store(control.ledger)
    watch = Certificates(control.shared, control.registry, control.commands, 30 * DAY)
    control.get(watch.announce())
    assert control.events("certificate_expiring") == []
    control.shared.now.advance(61 * 86400)
    for _ in range(2):
        control.get(watch.announce())
        _store(control.ledger)
    [expiring] = control.events("certificate_expiring")
    assert (expiring.serial_number, expiring.not_after) == (signed.serial_number, signed.not_after)


def _store(ledger: FakeLedger):
    """Put the facts that were committed into the fake's database, which only holds what tests put there."""
    from csms.store.tables import charge_points, facts

    with ledger.database.begin() as connection:
        connection.execute(facts.delete())
        connection.execute(charge_points.delete())
        connection.execute(
            charge_points.insert(), {"client_id": "CP1", "registration": "Accepted", "allow_no_subprotocol": False}
        )
        latest = {}
        for decision in ledger.committed:
            latest.update({(item.kind, item.key): item for item in decision.changes if type(item) is Fact})
        connection.execute(facts.insert(), [msgspec.structs.asdict(item) for item in latest.values()])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_that_is_longer_than_the_charge_point_takes(tmp_path, version):
    site = make(tmp_path, version)
    site.control.ledger._longest_chain = lambda client_id: {"CP1": 300}[client_id]
    site.ask()
    assert (site.answers, site.sent) == (["Accepted"], [])
    [refused] = site.events
    assert "the charge point takes 300" in refused.reason
