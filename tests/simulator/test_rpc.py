"""The CALLs of one socket of a simulated charge point."""

from twisted.internet.task import Clock

from csms.ocppj.schemas import Schemas
from csms.ocppj.versions import V16
from csms.simulator.rpc import LinkLost, Rpc, Traffic


class Socket:
    def __init__(self):
        self.sent = []
        self.ended = []

    def send(self, text):
        self.sent.append(text)

    def close(self):
        self.ended.append("close")

    def abort(self):
        self.ended.append("abort")


def test_an_answer_after_the_hang_up_is_too_late():
    """The other side sends until it has read our close frame."""
    socket, failures = Socket(), []
    rpc = Rpc(Clock(), V16, Schemas(V16), lambda: "1", None, 10, Traffic())
    rpc.opened(socket)
    rpc.call("Heartbeat", {}).addErrback(failures.append)
    rpc.close("done")
    assert failures[0].check(LinkLost)
    rpc.received(b'[3,"1",{"currentTime":"2026-03-01T12:00:00Z"}]')
    assert len(socket.sent) == 1
    assert socket.ended == ["close"]
