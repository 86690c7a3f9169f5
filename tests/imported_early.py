"""What our programs import before there is a reactor, and what they make of it once: imported where they are forked from.

Not `csms.composition` itself: klein imports the reactor, and each process needs one of its own.
"""

import sys

import csms.authority.contracts
import csms.authority.ev_certificates
import csms.authority.external
import csms.authority.ocsp
import csms.authority.signing
import csms.authority.webhook
import csms.cli.main
import csms.handlers.families
import csms.mqtt.commands
import csms.mqtt.relay
import csms.mqtt.thread
import csms.service
import csms.store.store
import csms.tap
import csms.websocket.factory  # noqa: F401
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import SUPPORTED

for version in SUPPORTED:
    schemas_of(version)
assert "twisted.internet.reactor" not in sys.modules
