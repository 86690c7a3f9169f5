"""A charge point whose certificate has ended is let in as Pending, and gets a new one at once (2.0.1 A00.FR.429)."""

from __future__ import annotations

import orjson
import pytest
from msgspec.structs import replace

from csms import certificates
from csms.authority.signing import CertificateAuthority
from csms.chargepoint.certificates import Certificates
from csms.handlers.certificate_requests import Signing
from csms.ledger.provisioning import Provision
from csms.ledger.state import Provisioned
from csms.ocppj.versions import V16
from tests.chargepoint.control import BOOT, BOOT_2, Control
from tests.chargepoint.signing_site import DAY, VERSIONS, SigningSite
from tests.chargepoint.test_certificates import Threads
from tests.fakes import state_of
from tests.signing_requests import ORGANIZATION


class Site(SigningSite):
    """A daemon with an authority, and CP1, whose certificate has ended."""

    def __init__(self, folder, version):
        self.version = version
        self.control = control = Control()
        made = certificates.new_authority(
            certificates.name_of("CA", ORGANIZATION), certificates.new_key("ecdsa"), control.now - DAY, 4000 * DAY
        )
        (folder / "ca.pem").write_bytes(certificates.certificate_pem(made.certificate))
        key = certificates.key_pem(made.key).decode()
        authority = CertificateAuthority(Threads().run, str(folder / "ca.pem"), key, ORGANIZATION, 90 * DAY)
        control.get(authority.load())
        signing = Signing(authority, control.names)
        self.serve(signing)
        Certificates(control.shared, control.registry, self.chains, signing, authority).serve()
        control.ledger.states["CP1"] = state_of("CP1", accept_expired_certificate=True, booted=True)

    def come(self, *, ended=True):
        is_16 = self.version is V16
        trigger = "ExtendedTriggerMessage" if is_16 else "TriggerMessage"
        self.charger = self.control.connect(
            version=self.version, boot=False, has_expired_certificate=ended,
            answers={trigger: {"status": "Accepted"}, "CertificateSigned": {"status": "Accepted"}},
        )  # fmt: skip
        return self.charger

    def boot(self):
        self.charger.say("BootNotification", BOOT if self.version is V16 else BOOT_2)
        self.control.settle()
        frames = [orjson.loads(text) for text in self.charger.sent]
        return next(frame[2]["status"] for frame in frames if frame[0] == 3 and "currentTime" in frame[2])

    @property
    def triggers(self):
        return [
            payload["requestedMessage"] for action, payload in self.charger.calls if action.endswith("TriggerMessage")
        ]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_pending_and_renewed_at_once(tmp_path, version):
    site = Site(tmp_path, version)
    charger = site.come()
    wanted = "SignChargePointCertificate" if version is V16 else "SignChargingStationCertificate"
    # It may be asked before it boots again: it was accepted before.
    assert site.triggers == [wanted]
    assert site.boot() == "Pending"
    assert site.triggers == [wanted] * 2
    site.ask()
    assert len(site.sent) == 1
    assert charger.closed_with is not None, "it is told to come with its new certificate"
    [row] = site.control.changes(Provisioned)
    assert (row.registration, row.accept_expired_certificate) == ("Accepted", False)
    assert not site.control.ledger._credentials("CP1").accept_expired_certificate
    site.come(ended=False)
    assert site.boot() == "Accepted"
    assert site.triggers == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_operator_changes_meanwhile_does_not_make_it_pending_for_ever(tmp_path, version):
    site = Site(tmp_path, version)
    site.come()
    changes = Provision(group_name="north")
    site.control.get(site.control.operations.provisioning.put("CP1", changes))
    [row] = site.control.changes(Provisioned)
    assert (row.registration, row.group_name) == ("Accepted", "north")
    assert site.boot() == "Pending"


def test_one_that_does_not_know_the_message_stays_pending_and_the_log_says_so(tmp_path, logged):
    site = Site(tmp_path, V16)
    site.come().answers["ExtendedTriggerMessage"] = {"status": "NotImplemented"}
    assert site.boot() == "Pending"
    assert any("NotImplemented" in str(event.get("answer")) for event in logged.events)
    assert site.charger.closed_with is None


def test_one_that_does_not_take_it_stays(tmp_path):
    site = Site(tmp_path, V16)
    site.come().answers["CertificateSigned"] = {"status": "Rejected"}
    site.ask()
    assert site.charger.closed_with is None
    assert site.control.changes(Provisioned) == []


def test_one_that_was_rejected_stays_rejected(tmp_path):
    site = Site(tmp_path, V16)
    state = site.control.ledger.states["CP1"]
    rejected = replace(state.charge_point, registration="Rejected", booted_as="Rejected")
    site.control.ledger.states["CP1"] = replace(state, charge_point=rejected)
    site.come()
    assert (site.boot(), site.triggers) == ("Rejected", [])


def test_others_are_not_asked(tmp_path):
    site = Site(tmp_path, V16)
    site.come(ended=False)
    assert (site.boot(), site.triggers) == ("Accepted", [])
