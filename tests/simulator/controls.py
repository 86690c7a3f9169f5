"""The answers to commands without a socket: what is answered, what is sent, what is done."""

from __future__ import annotations

from itertools import count

from attrs import define, field

from csms.ocppj import codec
from csms.ocppj.frames import Call
from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target
from csms.simulator.languages import commands_of
from csms.simulator.station import Station

from .fake_server import SCHEMAS_OF


@define
class Controls:
    """A charge point with a session on its first connector; it keeps what it is told to do."""

    is_busy: bool
    sent: list = field(factory=list)
    done: list = field(factory=list)

    def charging(self, connector_id=None):
        return self.is_busy and connector_id in (None, 1)

    def is_running(self, transaction_id):
        # Any transaction that is spoken of: the answer to an unknown one is the simpler one.
        return self.is_busy

    def has_queued(self, transaction_id=None):
        return False

    def free_connector(self, id_tag):
        return 2

    def timestamp(self):
        return "2026-06-01T12:00:00.000Z"

    def send(self, action, payload):
        self.sent.append((action, payload))

    def __getattr__(self, name):
        return lambda *arguments, **options: self.done.append((name, arguments, options))


def charge_point(version, *, busy):
    behaviour = Behaviour(version=version, connectors=2)
    controls = Controls(busy)
    answers = commands_of(behaviour, Station(behaviour), controls, Target("ws://h/CP1", "CP1"))
    ids = count(1)

    def ask(action, payload, mode="strict"):
        schemas = SCHEMAS_OF[version]
        schemas.check_request(action, payload, mode)
        text, effect = answers.answer(Call(f"m{next(ids)}", action, payload, b""))
        kind, _, *rest = codec.parse(text)
        assert kind == 3, rest
        assert schemas.check_response(action, rest[0], "strict") == ()
        if effect is not None:
            effect()
        for message, content in controls.sent:
            assert schemas.check_request(message, content, "strict") == ()
        return rest[0]

    return controls, ask
