"""What a simulated charge point says in OCPP 1.6, and how it answers."""

from csms.simulator.v16.commands import commands
from csms.simulator.v16.dialect import Dialect16

__all__ = ["Dialect16", "commands"]
