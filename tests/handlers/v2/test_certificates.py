"""Certificates of ISO 15118: what stations ask of others (M01, M06, M07)."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta

import pytest
from twisted.internet.defer import fail, succeed

from csms.handlers.iso15118 import EvCertificate, NoAnswer, OcspAnswer, Providers
from csms.ocppj.versions import V21, V201
from tests.fakes import NOW
from tests.handlers.station import Station

both = pytest.mark.parametrize("version", [V201, V21], ids=["2.0.1", "2.1"])
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "0a", "issuerKeyHash": "0b", "serialNumber": "1f"}
STATUS = {"ocspRequestData": {**HASH, "responderURL": "http://ocsp.example.org/"}}
EXI = {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "AA=="}
AWAY = NoAnswer("NoAnswer", "the OCSP responder does not answer")


class FakeProvider:
    """Stands in for responders, which are asked by URL, and for the provider of contract certificates."""

    def __init__(self, answer=None, **by_url):
        self.answer = answer
        self.by_url = by_url
        self.asked = []

    def ask(self, *question):
        self.asked.append(question)
        answer = self.by_url.get(question[0].responder_url) if self.by_url else self.answer
        return fail(answer) if isinstance(answer, NoAnswer) else succeed(answer)


def ask(version, action, request, **providers):
    answer = Station(version=version, providers=Providers(**providers)).ask(action, request, "strict")
    if action != "GetCertificateChainStatus":
        (record,) = answer.changes
        assert (record.kind, json.loads(record.body)) == (action, request)
    return answer.payload


@both
def test_without_anybody(version):
    for action, request, setting in (
        ("GetCertificateStatus", STATUS, "iso15118.ocsp_responders"),
        ("Get15118EVCertificate", EXI, "iso15118.ev_certificate_url"),
    ):
        payload = ask(version, action, request)
        assert (payload["status"], payload["statusInfo"]["reasonCode"]) == ("Failed", "NotEnabled")
        assert setting in payload["statusInfo"]["additionalInfo"]


@both
def test_the_responders_answer_is_passed_on(version):
    """Whatever it says, and whoever has signed it: the car looks itself."""
    responders = FakeProvider(OcspAnswer("Revoked", b"DER", NOW, is_verified=False))
    payload = ask(version, "GetCertificateStatus", STATUS, responders=responders)
    assert payload == {"status": "Accepted", "ocspResult": b64encode(b"DER").decode()}
    assert responders.asked[0][0].responder_url == "http://ocsp.example.org/"


@both
def test_no_answer_is_failed(version):
    payload = ask(version, "GetCertificateStatus", STATUS, responders=FakeProvider(AWAY))
    assert payload == {
        "status": "Failed",
        "statusInfo": {"reasonCode": "NoAnswer", "additionalInfo": "the OCSP responder does not answer"},
    }


@both
def test_an_answer_that_is_too_long_for_the_version(version):
    longest = {V201: 5_500, V21: 18_000}[version] // 4 * 3
    for size, status in ((longest, "Accepted"), (longest + 3, "Failed")):
        responders = FakeProvider(OcspAnswer("Good", b"x" * size, NOW, is_verified=True))
        assert ask(version, "GetCertificateStatus", STATUS, responders=responders)["status"] == status


@both
def test_the_provider_is_asked(version):
    provider = FakeProvider(EvCertificate("Accepted", "BB==", 2))
    payload = ask(version, "Get15118EVCertificate", EXI, ev_certificates=provider)
    more = {"remainingContracts": 2} if version is V21 else {}
    assert payload == {"status": "Accepted", "exiResponse": "BB==", **more}
    assert provider.asked == [("CP1", EXI)]


@both
def test_a_provider_that_fails(version):
    info = {"reason_code": "NotFound"}
    payload = ask(
        version, "Get15118EVCertificate", EXI, ev_certificates=FakeProvider(EvCertificate("Failed", "", None, info))
    )
    assert payload == {"status": "Failed", "exiResponse": "", "statusInfo": {"reasonCode": "NotFound"}}
    for answer, code in ((AWAY, "NoAnswer"), (EvCertificate("Accepted", "x" * 17_001), "TooLargeElement")):
        payload = ask(version, "Get15118EVCertificate", EXI, ev_certificates=FakeProvider(answer))
        assert (payload["status"], payload["statusInfo"]["reasonCode"]) == ("Failed", code)


def test_the_status_of_a_chain():
    later = NOW + timedelta(hours=1)
    responders = FakeProvider(
        good=OcspAnswer("Good", b"", later, is_verified=True),
        revoked=OcspAnswer("Revoked", b"", later, is_verified=True),
        anybody=OcspAnswer("Good", b"", later, is_verified=False),
        away=AWAY,
    )
    asked = [("OCSP", ["away", "good"]), ("OCSP", ["revoked"]), ("OCSP", ["anybody"]), ("CRL", ["good"])]
    request = {
        "certificateStatusRequests": [
            {"certificateHashData": HASH, "source": source, "urls": urls} for source, urls in asked
        ]
    }
    statuses = ask(V21, "GetCertificateChainStatus", request, responders=responders)["certificateStatus"]
    assert [(status["source"], status["status"]) for status in statuses] == [
        ("OCSP", "Good"), ("OCSP", "Revoked"), ("OCSP", "Failed"), ("CRL", "Failed"),
    ]  # fmt: skip
    assert statuses[0]["nextUpdate"] == "2026-03-01T13:00:00.000Z"
    assert all(status["certificateHashData"] == HASH for status in statuses)
    for status in ask(V21, "GetCertificateChainStatus", request)["certificateStatus"]:
        assert status["status"] == "Failed"


def test_no_more_is_asked_about_a_chain_than_the_schema_allows():
    responders = FakeProvider(AWAY)
    item = {"certificateHashData": HASH, "source": "OCSP", "urls": [f"http://ocsp.example.org/{n}" for n in range(9)]}
    station = Station(version=V21, providers=Providers(responders=responders))
    request = {"certificateStatusRequests": [item] * 6}
    statuses = station.ask("GetCertificateChainStatus", request, "tolerant").payload["certificateStatus"]
    assert [status["status"] for status in statuses] == ["Failed"] * 4
    assert len(responders.asked) == 4 * 5
