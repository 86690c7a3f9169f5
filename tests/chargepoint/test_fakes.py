"""The fakes have the shape of the ports that they stand in for."""

import pytest

from csms.chargepoint.shared import Ledger
from csms.chargepoint.transport import Transport
from csms.handlers.request import Reads
from csms.handlers.tags import Authority
from tests.fakes import KNOWN_QUERIES, FakeAuthority, FakeLedger, FakeTransport, signature_of


@pytest.mark.parametrize(
    ("fake", "port"),
    [(FakeLedger, Ledger), (FakeLedger, Reads), (FakeTransport, Transport), (FakeAuthority, Authority)],
)
def test_methods_of_the_port(fake, port):
    for name, member in vars(port).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            assert hasattr(fake(), name)
        else:
            assert signature_of(getattr(fake, name)) == signature_of(member), name


@pytest.mark.parametrize("query", KNOWN_QUERIES, ids=lambda query: query.__name__)
def test_queries_of_the_store(query):
    assert signature_of(getattr(FakeLedger, f"_{query.__name__}")) == signature_of(query)
