"""A daemon that has certificates signed, and one charge point: what it asks for, is answered and sent, and what is told of it."""

from __future__ import annotations

from datetime import timedelta

import orjson

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.issued_chains import IssuedChains
from csms.handlers import families
from csms.handlers.request import Policy
from csms.ocppj.versions import V16, V21, V201
from tests.signing_requests import pem, request

VERSIONS = [V16, V201, V21]
TYPES = ("signing_requested", "certificate_signed", "certificate_installed", "certificate_refused")
DAY = timedelta(days=1)


class SigningSite:
    """See the module. Whoever extends it has ``control``, ``version``, ``charger`` and ``csr``."""

    csr = None

    def serve(self, signing):
        """Have requests answered, and what is signed for them sent."""
        control = self.control
        for known in VERSIONS:
            answering = families.handlers(known, control.ledger, Policy(), None, None, signing)
            control.shared.dispatchers[known] = Dispatcher.of(known, answering)
        self.chains = IssuedChains(control.shared, control.registry, control.commands, DAY)
        control.shared.on_ready.append(self.chains.ready)

    def connect(self):
        self.charger = self.control.connect(version=self.version)
        if "CertificateSigned" not in self.charger.answers:
            self.charger.answers["CertificateSigned"] = {"status": "Accepted"}

    def ask(self, csr=None, **members):
        self.charger.say("SignCertificate", {"csr": csr or self.csr or pem(request()[0]), **members})
        self.control.settle()

    def send_again(self, seconds=0):
        """Do what is done about chains every few seconds."""
        self.control.advance(seconds)
        self.control.get(self.chains.work())
        self.control.settle()

    @property
    def answers(self):
        """The statuses that the charge point was answered."""
        frames = [orjson.loads(text) for text in self.charger.sent]
        return [frame[2]["status"] for frame in frames if frame[0] == 3 and set(frame[2]) == {"status"}]

    @property
    def sent(self):
        """What it was sent, on this connection."""
        return [payload for action, payload in self.charger.calls if action == "CertificateSigned"]

    @property
    def events(self):
        return self.control.events(*TYPES)

    @property
    def told(self):
        """The types of the events."""
        return [event_type for event_type in self.control.ledger.events("CP1") if event_type in TYPES]

    @property
    def reasons(self):
        return [event.reason for event in self.control.events("certificate_refused")]

    @property
    def is_open(self):
        return self.control.ledger._signing_request("CP1") is not None
