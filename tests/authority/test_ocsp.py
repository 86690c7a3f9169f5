"""OCSP responders on a loopback port; what takes time is on a clock of the test."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent

from csms.authority.contracts import ContractCertificates, RootsError
from csms.authority.ocsp import OcspResponders, OcspTerms
from csms.handlers.contracts import Contract
from csms.handlers.iso15118 import NoAnswer
from csms.metrics import Counters
from csms.responder_urls import PlainUrl
from tests.authority.ocsp_responder import GOOD, HOUR, NOW, REVOKED, UNKNOWN, OcspResponder, data_of
from tests.certificates import issue
from tests.fakes import logged

__all__ = ["logged"]
EMAID = "DE8AAC12345678"
ROOT = issue("Root")
LEAF = issue(EMAID, ROOT, ca=False)


class Asker:
    """The asker of responders, with a clock of the test."""

    def __init__(self, *allowed, issuers=None, agent=None):
        self.clock = Clock()
        self.counters = Counters()
        terms = OcspTerms([PlainUrl.of(url) for url in allowed], 5.0, issuers)
        self.responders = OcspResponders(
            self.clock, agent or Agent(reactor), deferToThread, terms, lambda: NOW, self.counters
        )
        self.ask = self.responders.ask

    @property
    def counted(self):
        return dict(self.counters.values["ocsp_questions"])


async def fault(asked):
    with pytest.raises(NoAnswer) as error:
        await asked
    return error.value.reason_code, str(error.value)


@pytest_twisted.async_yield_fixture
async def responder():
    responder = OcspResponder()
    yield responder
    await responder.stop()


@pytest_twisted.ensureDeferred
async def test_an_answer_is_believed_until_the_next_comes(responder):
    responder.knows(LEAF)
    asker = Asker(responder.url)
    data = data_of(LEAF, responder.url)
    answer = await asker.ask(data, ROOT.certificate)
    assert (answer.state, answer.is_verified) == ("Good", True)
    assert await asker.ask(data, ROOT.certificate) is answer
    asker.clock.advance(HOUR.total_seconds())
    responder.knows(LEAF, REVOKED)
    assert (await asker.ask(data, ROOT.certificate)).state == "Revoked"
    assert len(responder.asked) == 2
    assert asker.counted == {"answered": 2, "cached": 1}


@pytest_twisted.ensureDeferred
async def test_what_was_not_verified_is_asked_again_by_who_knows_the_issuer(responder):
    responder.knows(LEAF)
    asker = Asker(responder.url)
    assert not (await asker.ask(data_of(LEAF, responder.url))).is_verified
    assert (await asker.ask(data_of(LEAF, responder.url), ROOT.certificate)).is_verified


@pytest_twisted.ensureDeferred
async def test_an_answer_without_a_next_one_is_not_kept(responder):
    responder.knows(LEAF, ends=None)
    asker = Asker(responder.url)
    for _ in range(2):
        await asker.ask(data_of(LEAF, responder.url))
    assert len(responder.asked) == 2


@pytest_twisted.ensureDeferred
async def test_the_same_question_is_asked_once_at_a_time(responder):
    responder.knows(LEAF)
    asker = Asker(responder.url)
    answers = await gatherResults([asker.ask(data_of(LEAF, responder.url)) for _ in range(5)])
    assert len(set(map(id, answers))) == 1
    assert len(responder.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/other",
        "http://127.0.0.1:{port}/ocsp/../other",
        "http://127.0.0.1:{port}/ocspx",
        "http://127.0.0.1:{port}/ocsp?x",
        "http://me@127.0.0.1:{port}/ocsp",
        "http://localhost:{port}/ocsp",
        "https://127.0.0.1:{port}/ocsp",
        "http://127.0.0.1/ocsp",
        "file:///etc/passwd",
        "",
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_not_allowed_is_not_asked(responder, url):
    asker = Asker(responder.url)
    asked = asker.ask(data_of(LEAF, url.format(port=responder.port.getHost().port)))
    assert (await fault(asked))[0] == "InvalidURL"
    assert responder.asked == []
    assert asker.counted == {"refused": 1}


@pytest_twisted.ensureDeferred
async def test_a_responder_that_is_not_there(responder, logged):
    await responder.stop()
    code, text = await fault(Asker(responder.url).ask(data_of(LEAF, responder.url)))
    assert code == "NoAnswer"
    assert "refused" in text
    assert any(event.get("url") == responder.url for event in logged.events)


@pytest_twisted.ensureDeferred
async def test_a_responder_that_is_silent(responder):
    asker = Asker(responder.url)
    asked = asker.ask(data_of(LEAF, responder.url))
    await responder.arrived
    asker.clock.advance(5.0)
    assert (await fault(asked)) == ("NoAnswer", "the OCSP responder does not answer: no answer within 5 s")
    responder.knows(LEAF)
    assert (await fault(asker.ask(data_of(LEAF, responder.url))))[0] == "NoAnswer"
    asker.clock.advance(5.0)
    assert (await asker.ask(data_of(LEAF, responder.url))).state == "Good"


@pytest_twisted.ensureDeferred
async def test_answers_that_are_none(responder):
    serial, data = LEAF.certificate.serial_number, data_of(LEAF, responder.url)
    for answer, status, words in (
        (b"0" * 17_000, 200, "longer than"),
        (b"", 503, "status 503"),
        (b"", 302, "status 302"),
        (b"nonsense", 200, "no OCSP response"),
    ):
        responder.answers[serial], responder.status = answer, status
        assert words in (await fault(Asker(responder.url).ask(data)))[1]


@pytest_twisted.ensureDeferred
async def test_issuers_from_a_file(responder, tmp_path):
    file = tmp_path / "issuers.pem"
    file.write_text(ROOT.pem)
    asker = Asker(responder.url, issuers=str(file))
    responder.knows(LEAF)
    assert not (await asker.ask(data_of(LEAF, responder.url))).is_verified
    await asker.responders.load()
    assert (await asker.ask(data_of(LEAF, responder.url))).is_verified
    responder.knows(LEAF, signer=issue("Root"))
    asker.clock.advance(HOUR.total_seconds())
    assert (await fault(asker.ask(data_of(LEAF, responder.url))))[0] == "InvalidAnswer"
    file.unlink()
    with pytest.raises(RootsError, match=r"^iso15118\.ocsp_issuers: "):
        await asker.responders.load()
    file.mkdir()
    with pytest.raises(RootsError, match=r"^iso15118\.ocsp_issuers: .* holds no certificates"):
        await asker.responders.load()


class TestContracts:
    """C07: every certificate of the chain has to be good."""

    @staticmethod
    async def check(responder, tmp_path, *chain, root, hashes=()):
        (tmp_path / "root.pem").write_text(root.pem)
        contracts = ContractCertificates(deferToThread, str(tmp_path), Asker(responder.url).responders)
        await contracts.load()
        text = "".join(one.pem for one in chain) if chain else None
        return await contracts.check(Contract(EMAID, text, hashes), NOW)

    @pytest.mark.parametrize(
        ("status", "verdict"), [(GOOD, "Accepted"), (REVOKED, "CertificateRevoked"), (UNKNOWN, "CertChainError")]
    )
    @pytest_twisted.ensureDeferred
    async def test_what_the_station_wants_asked(self, responder, tmp_path, status, verdict):
        responder.knows(LEAF, status)
        hashes = (data_of(LEAF, responder.url),)
        assert await self.check(responder, tmp_path, LEAF, root=ROOT, hashes=hashes) == verdict
        assert await self.check(responder, tmp_path, root=ROOT, hashes=hashes) == verdict

    @pytest_twisted.ensureDeferred
    async def test_what_the_certificates_name(self, responder, tmp_path):
        """A station cannot keep the daemon from asking by leaving the hashes out."""
        link = issue("Sub", ROOT, responder=responder.url)
        leaf = issue(EMAID, link, ca=False, responder=responder.url)
        responder.knows(leaf)
        responder.knows(link)
        assert await self.check(responder, tmp_path, leaf, link, root=ROOT) == "Accepted"
        assert sorted(responder.asked) == sorted(one.certificate.serial_number for one in (leaf, link))
        responder.knows(link, REVOKED)
        assert await self.check(responder, tmp_path, leaf, link, root=ROOT) == "CertificateRevoked"

    @pytest_twisted.ensureDeferred
    async def test_one_that_is_revoked_is_whatever_others_say(self, responder, tmp_path):
        link = issue("Sub", ROOT, responder="http://elsewhere.example.org")
        leaf = issue(EMAID, link, ca=False)
        responder.knows(leaf, REVOKED)
        hashes = (data_of(leaf, responder.url),)
        assert await self.check(responder, tmp_path, leaf, link, root=ROOT, hashes=hashes) == "CertificateRevoked"

    @pytest_twisted.ensureDeferred
    async def test_what_cannot_be_asked_is_not_verified(self, responder, tmp_path, logged):
        hashes = (data_of(LEAF, "http://169.254.169.254/"),)
        assert await self.check(responder, tmp_path, LEAF, root=ROOT, hashes=hashes) == "CertChainError"
        assert any("none of those in iso15118.ocsp_responders" in event.get("reason", "") for event in logged.events)

    @pytest_twisted.ensureDeferred
    async def test_an_answer_of_anybodys(self, responder, tmp_path):
        """Hashes alone whose issuer nobody knows: there is an answer, and nobody to vouch for it."""
        link = issue("Sub", ROOT)
        leaf = issue(EMAID, link, ca=False)
        responder.knows(leaf)
        responder.knows(link)
        hashes = (data_of(leaf, responder.url), data_of(link, responder.url))
        assert await self.check(responder, tmp_path, root=ROOT, hashes=hashes) == "CertChainError"
        responder.knows(leaf, sent=[link])
        assert await self.check(responder, tmp_path, root=ROOT, hashes=hashes) == "Accepted"

    @pytest_twisted.ensureDeferred
    async def test_without_a_responder_nobody_is_asked(self, responder, tmp_path):
        assert await self.check(responder, tmp_path, LEAF, root=ROOT) == "Accepted"
        assert responder.asked == []
