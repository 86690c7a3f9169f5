"""Roots from files, and verification on a thread."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from csms.authority.contract_chain import Verified
from csms.authority.contracts import ContractCertificates, RootsError, read_roots
from csms.handlers.contracts import Contract
from tests.certificates import issue

EMAID = "DE8AAC12345678"
NOW = datetime.now(UTC)


def test_a_file_and_a_directory(tmp_path):
    root, other = issue("Root"), issue("Other")
    link = issue("Sub", root)
    (tmp_path / "a.pem").write_text(root.pem + link.pem)
    (tmp_path / "b.CRT").write_text(other.pem)
    (tmp_path / "README").write_text("no certificate")
    one = read_roots(str(tmp_path / "a.pem"))
    assert (list(one.roots), list(one.links)) == ([root.certificate], [link.certificate])
    assert list(read_roots(str(tmp_path)).roots) == [root.certificate, other.certificate]


@pytest.mark.parametrize("content", [None, "", "nonsense", "a link"])
def test_what_cannot_be_used_names_the_setting_and_the_file(tmp_path, content):
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_text(issue("Sub", issue("Root")).pem if content == "a link" else content)
    with pytest.raises(RootsError, match=r"^iso15118\.mo_roots: .*roots\.pem"):
        read_roots(str(file))


def test_a_directory_without_certificates(tmp_path):
    with pytest.raises(RootsError, match=r"holds no certificates: .*\.pem, \.crt, \.cer"):
        read_roots(str(tmp_path))


@pytest_twisted.ensureDeferred
async def test_it_is_verified_on_a_thread(tmp_path):
    root = issue("Root")
    (tmp_path / "root.pem").write_text(root.pem)
    threads = []

    def run(function, *arguments):
        def job():
            threads.append(threading.get_ident())
            return function(*arguments)

        return deferToThread(job)

    contracts = ContractCertificates(run, str(tmp_path))
    await contracts.load()
    contract = Contract(EMAID, issue(EMAID, root, ca=False).pem)
    assert await contracts.check(contract, NOW) == "Accepted"
    assert len(threads) == 2
    assert threading.get_ident() not in threads


def test_few_at_once():
    running = []

    def run(function, *arguments):
        running.append(Deferred())
        return running[-1]

    contracts = ContractCertificates(run, "")
    answers = []
    for _ in range(5):
        contracts.check(Contract(EMAID, ""), NOW).addCallback(answers.append)
    assert len(running) == 2
    running[0].callback(Verified("Accepted"))
    assert answers == ["Accepted"]
    assert len(running) == 3


@pytest_twisted.ensureDeferred
async def test_roots_that_cannot_be_read_leave_those_that_were_read(tmp_path):
    file = tmp_path / "root.pem"
    root = issue("Root")
    file.write_text(root.pem)
    contracts = ContractCertificates(deferToThread, str(file))
    await contracts.load()
    file.write_text("broken")
    with pytest.raises(RootsError):
        await contracts.load()
    contract = Contract(EMAID, issue(EMAID, root, ca=False).pem)
    assert await contracts.check(contract, NOW) == "Accepted"
