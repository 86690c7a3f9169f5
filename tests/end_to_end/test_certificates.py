"""A charge point asks the daemon for a certificate, with an authority that `csms pki` made, on real sockets."""

from __future__ import annotations

import json

import pytest
from cryptography import x509

from tests.cli.command import csms
from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import ForkedDaemon, ask, wait
from tests.signing_requests import ORGANIZATION, names, pem, request


@pytest.fixture
def daemon(tmp_path):
    assert csms("pki", "init", "--organization", ORGANIZATION, cwd=tmp_path)[2] == 0
    key = (tmp_path / "pki" / "ca.key").read_text()
    settings = {"CSMS_PKI_CA_CERTIFICATE": str(tmp_path / "pki" / "ca.pem"), "CSMS_PKI_ORGANIZATION": ORGANIZATION}
    # The key comes as systemd hands over a credential.
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "CSMS_PKI_CA_KEY").write_text(key)
    with ForkedDaemon(tmp_path / "daemon", CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"), **settings) as daemon:
        yield daemon
        assert key.splitlines()[1] not in daemon.log.read_text() + daemon.errors.read_text()


def _events(daemon):
    types = "&".join(f"type=certificate_{name}" for name in ("signed", "installed", "refused"))
    return [item["event"] for item in ask(daemon, "GET", f"/api/v1/events?{types}")[1]["items"]]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_certificate_from_request_to_installation(daemon, tmp_path, version):
    asked, key = request()
    with Charger(daemon.url, "CP1", version=version) as charger:
        assert charger.call("SignCertificate", csr=pem(asked)) == {"status": "Accepted"}
        kind, message_id, action, payload = json.loads(charger.socket.recv(timeout=15))
        assert (kind, action) == (2, "CertificateSigned")
        charger.socket.send(json.dumps([3, message_id, {"status": "Accepted"}]))
        wait(lambda: len(_events(daemon)) == 2)
    leaf = x509.load_pem_x509_certificate(payload["certificateChain"].encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate((tmp_path / "pki" / "ca.pem").read_bytes()))
    assert (leaf.subject, leaf.public_key()) == (names(), key.public_key())
    signed, installed = _events(daemon)
    assert [signed["eventType"], installed["eventType"]] == ["certificate_signed", "certificate_installed"]
    assert signed["payload"]["serialNumber"] == installed["payload"]["serialNumber"] == f"{leaf.serial_number:x}"
    assert signed["causationId"] == "CP1-2"


def test_a_request_for_another_charge_point(daemon):
    with Charger(daemon.url, "CP1") as charger:
        assert charger.call("SignCertificate", csr=pem(request(names("CP2"))[0])) == {"status": "Rejected"}
        assert charger.call("Heartbeat")
    [refused] = _events(daemon)
    assert refused["payload"]["reason"].startswith("its CN is 'CP2': allowed is the identity of the charge point")
    assert "its certificate is not signed: its CN is 'CP2'" in daemon.log.read_text()
