"""SignCertificate and what follows from it, in every version; the end of a certificate is announced."""

from __future__ import annotations

import msgspec
import orjson
import pytest
from attrs import define, field
from cryptography import x509
from twisted.internet.defer import Deferred

from csms import certificates
from csms.authority.signing import CertificateAuthority
from csms.chargepoint.certificate_watch import CertificateWatch
from csms.chargepoint.certificates import Certificates
from csms.chargepoint.issued_chains import MOST_TRIES
from csms.handlers.certificate_requests import Signing
from csms.ledger import certificates as rules
from csms.ledger.certificates import KIND, REQUEST
from csms.ledger.state import Fact, Record
from csms.ocppj.versions import V16, V21, V201
from tests.chargepoint.control import Control
from tests.chargepoint.signing_site import DAY, TYPES, VERSIONS, SigningSite
from tests.signing_requests import ORGANIZATION, names, pem, request

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


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


@define(slots=False)
class Site(SigningSite):
    """A daemon with an authority, and one charge point."""

    version: object
    signer: CertificateAuthority
    authority: object
    threads: Threads
    control: Control = field(factory=Control)

    def restart(self):
        """Begin anew on the same ledger."""
        control = self.control
        control.restart()
        signing = Signing(self.signer, control.names)
        self.serve(signing)
        self.watch = CertificateWatch(control.shared, control.registry, 30 * DAY)
        self.certificates = Certificates(control.shared, control.registry, self.chains, signing, self.signer)
        self.certificates.serve()
        self.connect()


def make(tmp_path, version=V16, waits=False):
    control = Control()
    made = certificates.new_authority(
        certificates.name_of("CA", ORGANIZATION), certificates.new_key("ecdsa"), control.now - DAY, 4000 * DAY
    )
    (tmp_path / "ca.pem").write_bytes(certificates.certificate_pem(made.certificate))
    threads = Threads()
    key = certificates.key_pem(made.key).decode()
    signer = CertificateAuthority(threads.run, str(tmp_path / "ca.pem"), key, ORGANIZATION, 90 * DAY)
    control.get(signer.load())
    site = Site(version, signer, made, threads, control)
    site.restart()
    threads.waits = waits
    return site


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_promised_is_signed_after_a_crash_and_signed_once(tmp_path, version):
    site = make(tmp_path, version, waits=True)
    site.ask()
    site.threads.work()  # the policy is looked at
    site.control.settle()
    assert (site.answers, site.told) == (["Accepted"], [])
    site.threads.jobs.clear()  # the daemon dies before it has signed
    site.threads.waits = False
    site.restart()
    for _ in range(2):
        site.control.get(site.certificates.work())
        site.control.settle()
    assert site.told == ["certificate_signed", "certificate_installed"]
    assert len(site.sent) == 1
    assert not site.is_open
    site.restart()
    site.control.get(site.certificates.work())
    site.control.settle()
    assert site.sent == []


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


@pytest.mark.parametrize("version", VERSIONS)
def test_one_that_was_issued_before_a_crash_is_sent_after_it_and_not_issued_again(tmp_path, version):
    site = make(tmp_path, version)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    [payload] = site.sent
    assert site.is_open
    site.restart()
    assert site.sent == []
    site.send_again()
    assert site.sent == [payload]
    assert (site.told, site.is_open) == (["certificate_signed", "certificate_installed"], False)
    site.restart()
    site.send_again()
    assert site.sent == []
    [request] = [change for change in site.control.changes(Fact) if change.kind == REQUEST][-1:]
    assert b"BEGIN CERTIFICATE-----" not in request.value, "what is settled is not kept for ever"


def test_it_is_sent_when_the_charge_point_has_booted(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.control.lose(site.charger)
    site.restart()
    site.control.lose(site.charger)
    site.send_again()
    site.connect()
    site.control.settle()
    assert len(site.sent) == 1
    assert not site.is_open


@pytest.mark.parametrize("answer", [None, "InternalError"])
def test_it_is_sent_so_many_times_and_no_more(tmp_path, answer, logged):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = answer
    site.ask()
    for _ in range(10):
        site.send_again(400)
        site.control.advance(100)
    assert len(site.sent) == MOST_TRIES
    assert site.reasons[0].startswith(f"it was sent {MOST_TRIES} times")
    assert (len(site.reasons), site.is_open) == (1, False)


def test_connections_that_are_lost_are_no_tries(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    assert len(site.sent) == 1
    for _ in range(2 * MOST_TRIES):
        site.control.lose(site.charger)
        site.charger = site.control.connect(answers={"CertificateSigned": None})
        site.send_again(1)
        assert site.sent == [], "it was sent a moment ago"
        site.send_again(300)
        assert len(site.sent) == 1
    assert (site.reasons, site.is_open) == ([], True)
    site.control.lose(site.charger)
    site.control.advance(300)
    site.connect()
    assert (len(site.sent), site.is_open) == (1, False)


def test_one_that_was_not_answered_in_time_is_not_sent_at_once_when_its_charge_point_is_back(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.control.advance(60)
    site.control.lose(site.charger)
    site.connect()
    assert site.sent == []
    site.control.advance(300)
    site.send_again()
    assert (len(site.sent), site.is_open) == (1, False)


def test_it_waits_for_so_long_and_no_longer(tmp_path):
    site = make(tmp_path, waits=True)
    site.ask()
    site.threads.work()
    site.control.settle()
    site.control.lose(site.charger)
    site.threads.work()
    site.send_again(86399)
    assert site.is_open
    site.send_again(1)
    assert site.reasons == ["the charge point did not come for it in time"]
    assert not site.is_open


def test_one_that_another_daemon_has_brought_is_not_given_up(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.control.lose(site.charger)
    wanted = site.control.ledger._signing_request("CP1")
    site.control.get(site.control.registry.decide("CP1", lambda state, context: rules.settle(state, context, wanted)))
    site.send_again(86400)
    assert site.reasons == []


def test_one_that_asks_again_is_sent_the_latest_only(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.control.advance(60)
    site.charger.answers["CertificateSigned"] = ACCEPTED
    site.ask()
    for _ in range(3):
        site.send_again(400)
    assert len(site.sent) == 2
    assert site.told.count("certificate_installed") == 1


def test_one_that_is_settled_while_the_ledger_is_read_is_not_sent_again(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    ledger = site.control.ledger
    read_before = ledger._chains_to_send("gw1")
    site.control.advance(60)
    site.charger.answers["CertificateSigned"] = ACCEPTED
    site.send_again(400)
    assert (len(read_before), len(site.sent), site.is_open) == (1, 2, False)
    ledger._chains_to_send = lambda _gateway_id: read_before
    for _ in range(2):
        site.send_again(400)
    assert len(site.sent) == 2
    assert site.told.count("certificate_installed") == 1


def test_one_that_is_forgotten_is_not_taken_up_again_until_the_next_one_is_here(tmp_path):
    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.control.advance(60)
    site.charger.answers["CertificateSigned"] = ACCEPTED
    site.threads.waits = True
    site.ask()
    site.threads.work()
    site.control.settle()
    site.send_again(400)
    assert len(site.sent) == 1, "the next one is being signed"
    site.threads.work()
    site.control.settle()
    assert len({payload["certificateChain"] for payload in site.sent}) == len(site.sent) == 2
    assert not site.is_open


@pytest.mark.parametrize("answer", [ACCEPTED, REJECTED])
def test_an_answer_that_could_not_be_recorded_is_asked_for_again_after_a_pause(tmp_path, answer, monkeypatch):
    def fail(*_arguments, **_members):
        raise ValueError("the ledger does not take it")

    site = make(tmp_path)
    site.charger.answers["CertificateSigned"] = answer
    with monkeypatch.context() as broken:
        broken.setattr(rules, "install", fail)
        broken.setattr(rules, "fail", fail)
        site.ask()
    assert (len(site.sent), site.is_open) == (1, True)
    site.send_again(290)
    assert len(site.sent) == 1
    site.send_again(20)
    assert (len(site.sent), site.is_open) == (2, False)
    assert site.told[1:] == ["certificate_installed" if answer is ACCEPTED else "certificate_refused"]
    for _ in range(2):
        site.send_again(400)
    assert len(site.sent) == 2


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


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_that_is_longer_than_the_charge_point_takes(tmp_path, version):
    site = make(tmp_path, version)
    site.control.ledger._longest_chain = lambda client_id: {"CP1": 300}[client_id]
    site.ask()
    assert (site.answers, site.sent) == (["Accepted"], [])
    [refused] = site.events
    assert "the charge point takes 300" in refused.reason
