"""New passwords of charge points (security whitepaper A01; OCPP 2.x part 2, A01).

A password that is sent to a charge point, by a rotation or by an operator's own command, counts from before it is sent: a charge
point may come with it before its answer was read. Where it refuses it the password counts no more. Until the charge point
has come with the new one the old one counts, too, so that whatever is lost on the way, it is never locked out.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.outcomes import CallTimedOut, ConnectionLost, TooManyCommands
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.handlers.command_set import PasswordChange
from csms.ledger.configuration import TAKEN
from csms.ledger.provisioning import password_renewed
from csms.ocppj.frames import CallError, CallResult
from csms.passwords.passwords import Passwords
from csms.passwords.secret import canonical, is_possible, new_password
from csms.passwords.threads import Busy
from csms.store import passwords as store
from csms.store.errors import StoreError

_log = Logger()
Call = Callable[[], Awaitable[CallResult | CallError]]


class NewPasswords:
    """See the module."""

    def __init__(self, shared: Shared, registry: Registry, passwords: Passwords) -> None:
        self._shared = shared
        self._registry = registry
        self._passwords = passwords

    @staticmethod
    def make() -> str:
        """Return a new password."""
        return new_password(secrets.token_bytes)

    async def around(self, client_id: str, password: str, change: PasswordChange, call: Call) -> CallResult | CallError:
        """Send a CALL that gives a charge point a password; see the module.

        :raises CommandFailed: as the CALL; `TooManyCommands` where the password cannot be let count.
        """
        secret = canonical(password.encode("utf-8"))
        if not is_possible(secret):
            return await call()
        new = await self._let_count(client_id, secret)
        try:
            frame = await call()
        except (CallTimedOut, ConnectionLost):
            raise  # the charge point may have taken it
        except BaseException:
            await self._withdraw(client_id, new)
            raise
        if isinstance(frame, CallError) or change.answer(frame.payload) not in TAKEN:
            await self._withdraw(client_id, new)
        return frame

    async def _let_count(self, client_id: str, secret: bytes) -> str:
        try:
            hashes = (await self._registry.credentials(client_id)).hashes
            new = await self._passwords.hash(secret, hashes[0] if hashes else None)
            await self._shared.ledger.write(partial(store.add_new, client_id=client_id, new=new))
        except store.TooManyNew:
            raise TooManyCommands(
                f"{store.MOST_NEW} new passwords were sent already: the charge point has to come with one of them first"
            ) from None
        except (Busy, StoreError) as error:
            raise TooManyCommands(f"the password could not be kept: {error}") from None
        return new

    async def _withdraw(self, client_id: str, new: str) -> None:
        try:
            await self._shared.ledger.write(partial(store.drop_new, client_id=client_id, new=new))
        except StoreError as error:
            # It does no harm: nobody has it.
            _log.warn("{client_id}: a password stays: {error}", client_id=client_id, error=str(error))

    def came_with(self, client_id: str, new: str) -> None:
        """A charge point is in, and has given a new password."""
        done = Deferred.fromCoroutine(self._renew(client_id, new))
        done.addErrback(self._not_renewed, client_id)

    async def _renew(self, client_id: str, new: str) -> None:
        if await self._shared.ledger.write(partial(store.renew, client_id=client_id, new=new)):
            _log.info("{client_id}: the new password is the only one now", client_id=client_id)
            await self._registry.decide(client_id, password_renewed)

    def _not_renewed(self, failure: Any, client_id: str) -> None:
        # It will come with it again.
        _log.warn("{client_id}: the old password stays: {error}", client_id=client_id, error=failure.getErrorMessage())
