"""SignCertificate where another authority signs: it is asked over HTTPS, or answers by the command CertificateSigned."""

from __future__ import annotations

import orjson
import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IAgent
from zope.interface import implementer

from csms import certificates
from csms.authority.external import MOST_ANSWER_BYTES, ExternalAuthority, Service
from csms.authority.signing import ALLOWED_NAMES
from csms.chargepoint.outcomes import CallRefused, InvalidPayload
from csms.chargepoint.signing_requests import SigningRequests
from csms.handlers.certificate_requests import Signing
from csms.mqtt.command_messages import Incoming
from csms.mqtt.commands import MqttCommands
from csms.mqtt.incoming import Message
from csms.mqtt.request_memory import RequestMemory
from csms.ocppj.versions import V16, V21
from tests.chargepoint.control import Control
from tests.chargepoint.signing_site import DAY, VERSIONS, SigningSite
from tests.fakes import GATEWAY
from tests.mqtt.fakes import FakeAnswers
from tests.signing_requests import ORGANIZATION, names, pem, request

OWN = "ChargingStationCertificate"


def new_authority(now):
    return certificates.new_authority(
        certificates.name_of("CA", ORGANIZATION), certificates.new_key("ecdsa"), now - DAY, 4000 * DAY
    )


def issued(authority, key, now, common_name="CP1", use="charger", organization=ORGANIZATION, validity=90 * DAY):
    subject = certificates.name_of(common_name, organization)
    made = certificates.issue(authority, subject, key.public_key(), use, now, validity)
    return certificates.certificate_pem(made).decode()


class Answer:
    """What an authority answers over HTTPS."""

    def __init__(self, code, body=b""):
        self.code = code
        self.body = body if isinstance(body, bytes) else orjson.dumps(body)

    def deliverBody(self, protocol):
        protocol.makeConnection(None)
        protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
class Agent:
    """Gives an authority's answers; ``says`` is a function of the question, which returns None where there is none."""

    def __init__(self, says):
        self._says = says

    def request(self, method, uri, headers=None, bodyProducer=None):
        parts = []
        bodyProducer.startProducing(Gathering(parts.append))
        answer = self._says((method, uri, headers), orjson.loads(b"".join(parts)))
        return Deferred() if answer is None else succeed(answer)


@define
class Gathering:
    """A consumer."""

    write: object


@define(slots=False)
class Site(SigningSite):
    """A daemon, another authority, and one charge point."""

    is_asked: bool = True
    version: object = V16
    control: Control = field(factory=Control)
    asked: list = field(factory=list)
    says: object = None
    """What the authority answers over HTTPS: a function of the question that returns an `Answer`."""

    def __attrs_post_init__(self):
        self.root = new_authority(self.control.now)
        self.key = certificates.new_key("ecdsa")
        self.csr = pem(request(key=self.key)[0])
        self.says = self.says or (lambda _question: Answer(200, {"certificateChain": self.chain()}))
        self.restart()

    def restart(self):
        """Begin anew on the same ledger."""
        control = self.control
        control.restart()
        service = None
        if self.is_asked:
            service = Service(control.clock, Agent(self._answer), "https://ca.example.org/sign", 10, "s3cret")
        authority = ExternalAuthority(maybeDeferred, ORGANIZATION, None, service, [self.root.certificate])
        signing = Signing(authority, control.names, is_elsewhere=True)
        self.serve(signing)
        self.requests = SigningRequests(control.shared, control.registry, control.commands, self.chains, authority, DAY)
        self.requests.serve(signing)
        self.connect()

    def _answer(self, request, question):
        self.asked.append((request, question))
        return self.says(question)

    def chain(self, **members):
        return issued(self.root, self.key, self.control.now, **members)

    def work(self, seconds=0):
        self.control.advance(seconds)
        self.control.get(self.requests.work())
        self.control.settle()

    def command(self, chain, **members):
        return self.control.send("CertificateSigned", {"certificateChain": chain, **members})


# Over HTTPS.


@pytest.mark.parametrize("version", VERSIONS)
def test_what_it_signs_is_sent(version):
    site = Site(version=version)
    site.ask()
    assert site.answers[0] == "Accepted"
    [((method, uri, headers), question)] = site.asked
    assert (method, uri) == (b"POST", b"https://ca.example.org/sign")
    assert headers.getRawHeaders("authorization") == ["Bearer s3cret"]
    assert question == {"csr": site.csr, "clientId": "CP1"}
    [payload] = site.sent
    assert set(payload) == {"certificateChain"}
    assert certificates.is_for(*certificates.read_certificates(payload["certificateChain"].encode()), site.csr)
    assert site.told == ["signing_requested", "certificate_signed", "certificate_installed"]
    assert not site.is_open


def test_type_and_request_id_go_there_and_come_back():
    site = Site(version=V21)
    site.ask(certificateType=OWN, requestId=42)
    assert {"certificateType": OWN, "requestId": 42}.items() <= site.asked[0][1].items()
    assert {"certificateType": OWN, "requestId": 42}.items() <= site.sent[0].items()


def test_what_is_against_the_policy_is_not_passed_on():
    site = Site()
    site.ask(pem(request(names("CP2"))[0]))
    assert (site.answers, site.asked) == (["Rejected"], [])
    assert site.reasons == [f"its CN is 'CP2': allowed is {ALLOWED_NAMES}"]


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (lambda _: Answer(403), "the authority does not sign: it answered with status 403"),
        (lambda _: Answer(302), "the authority does not sign: it answered with status 302"),
        (lambda _: Answer(200, {}), "the authority's answer is not understood"),
        (lambda _: Answer(200, b"\xff"), "the authority's answer is not understood"),
        (
            lambda _: Answer(200, b" " * (MOST_ANSWER_BYTES + 1)),
            "the authority does not sign: its answer is longer than",
        ),
        (lambda _: Answer(200, {"certificateChain": "none"}), "the chain holds no certificate in PEM"),
    ],
)
def test_a_no_is_an_event_and_the_end(says, reason, logged):
    site = Site(says=says)
    site.ask()
    [told] = site.reasons
    assert told.startswith(reason)
    assert (site.sent, site.is_open) == ([], False)
    assert any(str(event.get("reason", "")).startswith(reason) for event in logged.events)
    site.work(3600)
    assert len(site.asked) == 1


def _silence(_question):
    return None


def _refused(_question):
    raise ConnectionRefusedError


@pytest.mark.parametrize("says", [_refused, lambda _: Answer(503), lambda _: Answer(429)])
def test_one_that_is_away_is_asked_again_with_longer_pauses(says):
    site = Site()
    right, site.says = site.says, says
    site.ask()
    for seconds, asked in ((15, 1), (15, 2), (30, 2), (30, 3), (120, 4)):
        site.work(seconds)
        assert len(site.asked) == asked
    site.says = right
    site.work(240)
    assert len(site.sent) == 1
    site.work(7200)
    assert len(site.asked) == 5


def test_one_that_says_nothing_is_not_waited_for_longer_than_its_timeout(logged):
    site = Site(says=_silence)
    site.ask()
    site.control.advance(9)
    assert not any(event.get("error") for event in logged.events)
    site.control.advance(1)
    assert [event["error"] for event in logged.events if event.get("error")] == ["no answer within 10 s"]
    site.says = lambda _question: Answer(200, {"certificateChain": site.chain()})
    site.work(30)
    assert len(site.sent) == 1


def test_it_is_given_up_in_the_end():
    site = Site(says=_silence)
    site.ask()
    for _ in range(30):
        site.work(3600)
    assert site.reasons == ["the authority has not signed it in time"]
    assert not site.is_open
    assert len(site.asked) < 40


def test_after_a_restart_it_is_asked_again():
    site = Site(says=_silence)
    site.ask()
    site.says = lambda _question: Answer(200, {"certificateChain": site.chain()})
    site.control.lose(site.charger)
    site.restart()
    site.work()
    assert len(site.asked) == 2
    assert len(site.sent) == 1
    site.control.lose(site.charger)
    site.restart()
    site.work()
    assert len(site.asked) == 2


def test_what_was_signed_before_a_crash_is_sent_after_it_and_not_signed_again():
    site = Site()
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    [payload] = site.sent
    site.restart()
    site.work()
    assert site.sent == []
    site.send_again()
    assert site.sent == [payload]
    assert (len(site.asked), site.told[-1], site.is_open) == (1, "certificate_installed", False)
    site.restart()
    site.work()
    site.send_again()
    assert (len(site.asked), site.sent) == (1, [])


def test_a_chain_that_has_ended_meanwhile_is_not_sent_again():
    site = Site(is_asked=True)
    site.says = lambda _question: Answer(
        200, {"certificateChain": issued(site.root, site.key, site.control.now, validity=DAY / 2)}
    )
    site.charger.answers["CertificateSigned"] = None
    site.ask()
    site.control.advance(60)
    site.control.shared.now.advance(0.6 * 86400)
    site.send_again()
    assert len(site.sent) == 1
    [reason] = site.reasons
    assert "was valid until" in reason
    assert not site.is_open


def test_one_that_left_gets_it_when_it_is_back():
    site = Site(says=_refused)
    site.ask()
    site.says = lambda _question: Answer(200, {"certificateChain": site.chain()})
    site.control.lose(site.charger)
    site.work(30)
    assert site.told == ["signing_requested", "certificate_signed"]
    site.connect()
    site.control.settle()
    assert len(site.sent) == 1
    assert not site.is_open


def test_a_charge_point_that_asks_again_has_its_latest_request_answered():
    site = Site(is_asked=False)
    site.ask()
    site.ask()
    assert site.answers == ["Accepted", "Rejected"]
    site.control.advance(30)
    first, site.key = site.chain(), certificates.new_key("ecdsa")
    site.ask(pem(request(key=site.key)[0]))
    assert site.answers[-1] == "Accepted"
    with pytest.raises(InvalidPayload, match="key is not that of the request"):
        site.command(first)
    site.command(site.chain())
    assert site.told[-1] == "certificate_installed"


# By events and commands.


@pytest.mark.parametrize("version", VERSIONS)
def test_an_answer_by_command(version):
    site = Site(is_asked=False, version=version)
    site.ask()
    [event] = site.control.events("signing_requested")
    assert event.csr == site.csr
    assert site.sent == []
    assert site.command(site.chain()) == {"status": "Accepted"}
    assert site.told == ["signing_requested", "certificate_installed"]
    assert not site.is_open


@pytest.mark.parametrize("version", VERSIONS)
def test_an_answer_by_mqtt(version):
    site = Site(is_asked=False, version=version)
    site.ask()
    control, answers = site.control, FakeAnswers()
    mqtt = MqttCommands(control.commands, answers, RequestMemory(control.ledger, GATEWAY), control.shared.now)

    def command(request_id, chain):
        data = orjson.dumps({"requestId": request_id, "payload": {"certificateChain": chain}})
        message = Message("csms/commands/CP1/CertificateSigned", data)
        mqtt.take([Incoming("CP1", "CertificateSigned", message)])
        control.settle()

    command("r1", site.chain(common_name="CP2"))
    assert answers.statuses == ["BadPayload"]
    assert (site.sent, site.is_open) == ([], True)
    command("r2", site.chain())
    assert answers.results[1] == {"requestId": "r2", "status": "ok", "response": {"status": "Accepted"}}
    assert len(site.sent) == 1
    assert (site.told[-1], site.is_open) == ("certificate_installed", False)


def test_a_command_after_a_promise_over_https():
    site = Site(says=lambda _question: Answer(202))
    site.ask()
    site.work(3600)
    assert (len(site.asked), site.is_open) == (1, True)
    assert site.command(site.chain()) == {"status": "Accepted"}
    site.work(86400)
    assert site.reasons == []


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({}, "requestId"),
        ({"requestId": 41}, "requestId"),
        ({"requestId": 42, "certificateType": "V2GCertificate"}, "certificateType"),
    ],
)
def test_a_command_has_to_answer_what_was_asked(members, path):
    site = Site(is_asked=False, version=V21)
    site.ask(requestId=42, certificateType=OWN)
    with pytest.raises(InvalidPayload) as raised:
        site.command(site.chain(), **members)
    assert raised.value.path == path
    assert (site.sent, site.is_open, len(site.reasons)) == ([], True, 1)
    site.command(site.chain(), requestId=42)
    assert len(site.sent) == 1


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (lambda site: issued(site.root, certificates.new_key("ecdsa"), site.control.now), "key is not that"),
        (lambda site: site.chain(common_name="CP2"), "CN is not the identity"),
        (lambda site: site.chain(organization="Other"), "O is not 'Example Charging'"),
        (lambda site: site.chain(use="server"), "not for a client"),
        (lambda site: issued(new_authority(site.control.now), site.key, site.control.now), "does not lead to"),
        (lambda site: site.chain() * 2, "not signed by the one after it"),
        (lambda site: site.chain() * 7, "7 certificates: allowed are 6"),
        (lambda site: issued(site.root, site.key, site.control.now - 0.5 * DAY + DAY), "valid from"),
        (lambda site: "x" * 10_000, "no certificate in PEM"),
    ],
)
def test_a_wrong_chain_is_not_sent(chain, reason):
    site = Site(is_asked=False)
    site.ask()
    with pytest.raises(InvalidPayload, match=reason):
        site.command(chain(site))
    assert (site.sent, site.is_open) == ([], True)
    [told] = site.reasons
    assert reason in told


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_chain_that_is_longer_than_the_charge_point_takes_is_not_sent(is_asked):
    site = Site(is_asked=is_asked)
    site.control.ledger._longest_chain = lambda client_id: {"CP1": 300}[client_id]
    site.ask()
    if not is_asked:
        with pytest.raises(InvalidPayload, match="the charge point takes 300"):
            site.command(site.chain())
    [told] = site.reasons
    assert told.endswith("characters: the charge point takes 300")
    assert site.sent == []


def test_an_old_chain_is_not_sent():
    site = Site(is_asked=False)
    site.ask()
    chain = site.chain()
    site.control.shared.now.advance(91 * 86400)
    with pytest.raises(InvalidPayload, match="was valid until"):
        site.command(chain)


def test_nothing_is_sent_that_was_not_asked_for():
    site = Site(is_asked=False)
    with pytest.raises(InvalidPayload, match="has not asked for a certificate"):
        site.command(site.chain())
    assert site.sent == []


def test_one_that_the_charge_point_does_not_take_is_settled():
    site = Site(is_asked=False)
    site.ask()
    site.charger.answers["CertificateSigned"] = "InternalError"
    with pytest.raises(CallRefused):
        site.command(site.chain())
    assert site.is_open
    site.charger.answers["CertificateSigned"] = {"status": "Rejected"}
    site.command(site.chain())
    assert site.reasons == ["the charge point does not take it"]
    assert not site.is_open
