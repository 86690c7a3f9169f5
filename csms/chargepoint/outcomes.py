"""How a command can end but by an answer: one exception for each, with the word that results over MQTT use."""

from __future__ import annotations

from typing import Any, ClassVar


class CommandFailed(Exception):
    """A command had no CALLRESULT; ``status`` says why in one word."""

    status: ClassVar[str] = "Failed"


class UnknownChargePoint(CommandFailed):
    """The ledger does not know this charge point."""

    status = "UnknownChargePoint"


class UnknownAction(CommandFailed):
    """No action that a central system can send in the version of the charge point."""

    status = "UnknownAction"


class InvalidPayload(CommandFailed):
    """The payload does not fit the schema; ``path`` is where, ``detail`` what is wrong there."""

    status = "BadPayload"

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


class NotConnected(CommandFailed):
    """Nothing was sent: the charge point is not connected here, or may not be spoken to yet (OCPP 1.6 §4.2)."""

    status = "NotConnected"


class TooManyCommands(CommandFailed):
    """Nothing was sent: too many CALLs wait for their turn, or the turn did not come in time."""

    status = "Busy"


class Expired(CommandFailed):
    """Nothing was sent: the command's time to expire has passed."""

    status = "Expired"


class CallRefused(CommandFailed):
    """The charge point answered CALLERROR."""

    status = "CallError"

    def __init__(self, code: str, description: str, details: dict[str, Any]) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.details = details


class CallTimedOut(CommandFailed):
    """The CALL is on the wire, and no answer came in time; the connection lives on."""

    status = "Timeout"

    def __init__(self, message_id: str) -> None:
        super().__init__(f"no answer to {message_id} in time")
        self.message_id = message_id


class ConnectionLost(CommandFailed):
    """The CALL was on the wire when the socket went away: whether the charge point took it is not known."""

    status = "ConnectionLost"

    def __init__(self, message_id: str) -> None:
        super().__init__(f"the connection was lost before the answer to {message_id}")
        self.message_id = message_id


Result = dict[str, Any] | CommandFailed
"""The outcome of a command: the payload of its CALLRESULT, or why there is none."""
