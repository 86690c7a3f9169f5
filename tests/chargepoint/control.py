"""Operators' commands to simulated charge points: real sessions and registry, a fake ledger, a clock that the test moves."""

from __future__ import annotations

from itertools import count

import orjson
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.operations import Operations
from csms.chargepoint.registry import Registry
from csms.handlers import families
from csms.handlers.families import COMMAND_SETS
from csms.handlers.request import Policy
from csms.handlers.tags import Tags
from csms.ledger.cost import Tariff
from csms.ocppj import frames
from csms.ocppj.frames import Call
from csms.ocppj.versions import V16, V21, V201
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from csms.simulator.behaviour import Behaviour
from csms.simulator.station import Station
from csms.simulator.v16 import commands as simulated
from csms.store.certificates import certificate_names
from tests.fakes import FakeLedger, FakeTransport, dispatcher_of, shared_of
from tests.passwords.workers import FakeWorkers

BOOT = {"chargePointVendor": "Acme", "chargePointModel": "One"}
BOOT_2 = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Two"}}


class Idle:
    """The controls of a charge point where nothing is going on but what the test says."""

    def __init__(self):
        self.running = set()
        self.done = []

    def charging(self, connector_id=None):
        return False

    def is_running(self, transaction_id):
        return transaction_id in self.running

    def free_connector(self, id_tag):
        return 1

    def __getattr__(self, name):
        return lambda *arguments: self.done.append((name, *arguments))


class Charger(FakeTransport):
    """A socket with a simulated charge point behind it, which answers a CALL at once, or as it is told.

    ``answers`` by action: a payload, a function of the request that returns one, a code of a CALLERROR, or None for silence.
    """

    def __init__(self, clock, connectors=2, answers=()):
        super().__init__()
        self.controls = Idle()
        behaviour = Behaviour(connectors=connectors)
        self.station = Station(behaviour)
        self.answers = dict(answers)
        self.calls = []
        self.session = None
        self._clock = clock
        self._simulated = simulated(self.station, self.controls, behaviour)
        self._ids = count(1)

    def send_text(self, text):
        super().send_text(text)
        kind, message_id, *rest = orjson.loads(text)
        if kind != frames.CALL:
            return
        action, payload = rest
        self.calls.append((action, payload))
        answer = self.answers.get(action, "simulated")
        if callable(answer):
            reply = frames.encode_result(message_id, answer(payload))
        elif answer == "simulated":
            reply, _effect = self._simulated.answer(Call(message_id, action, payload, text))
        elif isinstance(answer, str):
            reply = frames.encode_error(message_id, answer, "no", {"why": 1})
        elif answer is None:
            return
        else:
            reply = frames.encode_result(message_id, answer)
        self._clock.callLater(0, self.receive, reply)

    def receive(self, text):
        if self.closed_with is None and self.session is not None:
            self.session.receive(text)

    def say(self, action, payload):
        self.receive(frames.encode_call(f"cp{next(self._ids)}", action, payload))

    @property
    def actions(self):
        return [action for action, _ in self.calls]


@define
class Control:
    """See the module."""

    clock: Clock = field(factory=Clock)
    ledger: FakeLedger = None
    shared: object = None
    registry: Registry = None
    operations: Operations = None
    passwords: Passwords = None
    published: list = field(factory=list)
    results: list = field(factory=list)
    authority: object = None
    members: dict = field(factory=dict)

    def __attrs_post_init__(self):
        self.ledger = self.ledger or FakeLedger(self.clock.callLater)
        self.shared = shared_of(
            self.ledger,
            self.clock,
            publish_protocol_event=self.published.append,
            dispatchers={
                V16: dispatcher_of(self.ledger, authority=self.authority),
                **{
                    version: Dispatcher.of(version, families.handlers(version, self.ledger, Policy()))
                    for version in (V201, V21)
                },
            },
            **self.members,
        )
        self.restart()

    def names(self, client_id):
        """Return the names of a charge point, as `Signing` wants them."""
        return self.ledger.read(certificate_names, client_id)

    def restart(self):
        """Begin anew on the same ledger."""
        self.registry = Registry(self.shared)
        self.shared.on_ready.clear()
        self.shared.on_booted.clear()
        ids = count(1)
        tags = Tags(self.ledger, "Accepted", self.authority)
        self.passwords = Passwords(FakeWorkers(), b"key", Attempts(self.clock.seconds))
        self.operations = Operations.of(
            self.shared,
            self.registry,
            COMMAND_SETS,
            lambda: f"m{next(ids)}",
            Tariff(),
            tags,
            self.passwords,
        )
        self.operations.commands.on_queued_result = lambda *result: self.results.append(result)

    @property
    def commands(self):
        return self.operations.commands

    @property
    def now(self):
        return self.shared.now()

    def settle(self):
        """Let everything happen that happens without time going by."""
        for _ in range(40):
            self.clock.advance(0)

    def advance(self, seconds):
        """Let time go by."""
        self.shared.now.advance(seconds)
        self.clock.advance(seconds)
        self.settle()

    def connect(self, client_id="CP1", boot=True, version=V16, has_expired_certificate=False, **arguments):
        """Let a charge point in; return it."""
        charger = Charger(self.clock, **arguments)
        admitted = self.registry.admit(
            client_id, version, authenticated=True, has_expired_certificate=has_expired_certificate
        )
        session = self.get(admitted)
        charger.session = session
        session.opened(charger, None)
        self.settle()
        if boot:
            charger.say("BootNotification", BOOT if version is V16 else BOOT_2)
            self.settle()
        return charger

    def lose(self, charger):
        """Cut a charge point's connection."""
        session, charger.session = charger.session, None
        self.registry.discard(session, "lost")
        self.settle()

    def start(self, coroutine):
        """Begin something; its result, or failure, comes to be in the list."""
        results = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        return results

    def get(self, coroutine):
        """Return what a coroutine returns without time going by."""
        results = self.start(coroutine)
        self.settle()
        assert results, "it still waits"
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def send(self, action, payload, client_id="CP1", **options):
        return self.get(self.commands.send(client_id, action, payload, **options))

    def events(self, *types):
        """Return the payloads of the events of these types."""
        return [
            event.payload
            for decision in self.ledger.committed
            for event in decision.events
            if event.event_type in types
        ]

    def changes(self, kind):
        """Return the rows of a kind that were committed."""
        return [change for decision in self.ledger.committed for change in decision.changes if type(change) is kind]
