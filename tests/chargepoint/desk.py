"""A session on a fake socket, a fake ledger whose commits the test fires, and a clock that the test moves."""

from __future__ import annotations

import orjson
from attrs import define, field
from twisted.internet.task import Clock

from csms.chargepoint.session import Session
from csms.ocppj.versions import V16, Version
from tests.fakes import FakeLedger, FakeTransport, shared_of, state_of

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


def start(number):
    """Return a StartTransaction that no other resembles."""
    return {
        "connectorId": 1,
        "idTag": "TAG1",
        "meterStart": number,
        "timestamp": f"2026-03-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
    }


@define
class Desk:
    """See the module."""

    ledger: FakeLedger = field(factory=FakeLedger)
    clock: Clock = field(factory=Clock)
    published: list = field(factory=list)
    transport: FakeTransport = field(factory=FakeTransport)
    members: dict = field(factory=dict)
    version: Version = V16
    shared: object = None
    session: Session = None

    def __attrs_post_init__(self):
        self.shared = shared_of(self.ledger, self.clock, publish_protocol_event=self.published.append, **self.members)
        self.session = Session(self.shared, "CP1", self.version, state_of())

    def open(self):
        """Open the socket and commit that."""
        self.session.opened(self.transport, "127.0.0.1")
        self.ledger.commit_all()
        return self

    def say(self, message_id, action, payload):
        """Send a CALL."""
        self.session.receive(orjson.dumps([2, message_id, action, payload]))

    @property
    def answers(self):
        """The frames that were sent."""
        return [orjson.loads(text) for text in self.transport.sent]

    @property
    def answered(self):
        """The message ids of the frames that were sent."""
        return [frame[1] for frame in self.answers]
