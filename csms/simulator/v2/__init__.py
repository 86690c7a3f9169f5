"""What a simulated charging station says in OCPP 2.0.1 and 2.1, and how it answers: a module for each functional block."""

from csms.simulator.v2.commands import commands
from csms.simulator.v2.dialect import Dialect2

__all__ = ["Dialect2", "commands"]
