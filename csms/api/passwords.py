"""``/chargepoints/{clientId}/password/rotate``: a new password, which only the charge point gets to know."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from csms.api.commands import problem_of
from csms.api.idempotency import uninterrupted
from csms.api.ports import Commands
from csms.api.problems import Problem
from csms.api.routes import Answer, Exchange, Route, Shown
from csms.chargepoint import outcomes
from csms.ledger.configuration import TAKEN


class PasswordRotation(Shown, frozen=True):
    """What the charge point said about a new password, and whether that is a yes."""

    status: str
    taken: bool


@define(eq=False)
class Passwords:
    """New passwords."""

    _commands: Commands

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route(
                "POST", "/chargepoints/{clientId}/password/rotate", "rotatePassword",
                "Send a charge point a new password for its Basic authentication", self.rotate, {200: PasswordRotation},
                problems=(404, 502, 503, 504),
            )
        ]  # fmt: skip

    async def rotate(self, exchange: Exchange) -> Answer:
        """Send a new password."""
        # A client that goes away does not take back what is on the wire.
        return await uninterrupted(self._rotate(exchange.path["clientId"]))

    async def _rotate(self, client_id: str) -> Answer:
        try:
            status = await self._commands.rotate_password(client_id)
        except (outcomes.CallTimedOut, outcomes.ConnectionLost) as error:
            problem = problem_of(error, error.message_id)
            detail = f"{problem.detail}: both passwords are taken until it has come with the new one"
            raise Problem(problem.status, detail, members=problem.members) from None
        except outcomes.CommandFailed as error:
            raise problem_of(error, None) from None
        return Answer(PasswordRotation(status=status, taken=status in TAKEN))
