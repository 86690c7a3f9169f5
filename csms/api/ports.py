"""What the API needs of the live side and the store, as small as it needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from csms.ledger.cost import Tariff
from csms.ledger.provisioning import Provision
from csms.ledger.state import ChargePoint, Transaction
from csms.store.configuration import Scope

Result = TypeVar("Result")


class Ledger(Protocol):
    """The store, as the API reads and writes it."""

    def browse(self, query: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Have ``query(connection, *arguments)`` run on a thread that reads for operators."""

    def write(self, job: Callable[[Connection], Result]) -> Deferred[Result]:
        """Have a function write in the next commit."""


class Commands(Protocol):
    """`csms.chargepoint.commands.Commands`."""

    async def send(
        self,
        client_id: str,
        action: str,
        payload: dict[str, Any],
        *,
        timeout_s: float = 30.0,
        message_id: str | None = None,
        on_sent: Callable[[str], None] | None = None,
        expires_at: datetime | None = None,
    ) -> dict[str, Any]:
        """Send a CALL; return the payload of the CALLRESULT."""

    async def queue(self, client_id: str, action: str, payload: dict[str, Any], expires_at: datetime) -> str:
        """Keep a CALL for a charge point that is offline; return its message id."""

    async def rotate_password(self, client_id: str) -> str:
        """Send a charge point a new password; return its word about it."""

    def is_connected(self, client_id: str) -> bool:
        """Tell whether a charge point is connected here."""

    def new_message_id(self) -> str:
        """Return a new message id."""


class Provisioning(Protocol):
    """`csms.chargepoint.provisioning.Provisioning`."""

    async def put(self, client_id: str, changes: Provision, password: str | UnsetType | None = UNSET) -> ChargePoint:
        """Change a charge point, or make one."""

    async def delete(self, client_id: str) -> bool:
        """Forget a charge point; tell whether it was known."""

    async def put_tariff(self, tariff_id: str, tariff: Tariff) -> None:
        """Write a tariff."""

    async def delete_tariff(self, tariff_id: str) -> bool:
        """Delete a tariff; tell whether there was one."""

    async def put_wanted(self, scope: Scope, name: str, wanted: Mapping[str, str]) -> None:
        """Say which configuration a charge point, or those of a group, are to have."""

    async def delete_wanted(self, scope: Scope, name: str) -> bool:
        """Want nothing any more; tell whether there was anything."""


class Transactions(Protocol):
    """`csms.chargepoint.transactions.Transactions`."""

    async def close(self, transaction_id: int) -> Transaction:
        """Close a running transaction."""
