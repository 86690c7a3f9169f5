"""OCPP 1.6, one module per profile of the specification."""

from __future__ import annotations

from collections.abc import Sequence

from csms.handlers.certificate_requests import Signing
from csms.handlers.request import Policy, Reads
from csms.handlers.tags import Authority
from csms.handlers.v16.commands import COMMANDS
from csms.handlers.v16.core import Core
from csms.handlers.v16.firmware import Firmware
from csms.handlers.v16.security import Security

__all__ = ["COMMANDS", "handlers"]


def handlers(
    reads: Reads, policy: Policy, authority: Authority | None, signing: Signing | None = None
) -> Sequence[object]:
    """Return the objects whose methods answer the CALLs of charge points."""
    return [Core(reads, policy, authority), Firmware(), Security(signing)]
