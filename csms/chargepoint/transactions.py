"""What operators do with transactions that charge points forgot."""

from __future__ import annotations

from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.ledger import transactions as rules
from csms.ledger.cost import Tariff
from csms.ledger.state import Transaction
from csms.store import queries


class UnknownTransaction(LookupError):
    """There is no such transaction."""


class TransactionEnded(Exception):
    """The transaction has ended already."""


class Transactions:
    """Closes transactions by an operator's word."""

    def __init__(self, shared: Shared, registry: Registry, tariff: Tariff) -> None:
        self._shared = shared
        self._registry = registry
        self._tariff = tariff

    async def close(self, transaction_id: int) -> Transaction:
        """Close a running transaction with its last known meter, and return it as it is then.

        :raises UnknownTransaction: there is none.
        :raises TransactionEnded: it does not run.
        :raises StoreError: the ledger is away.
        """
        found = await self._find(transaction_id)
        closed = found.status == "active" and await self._registry.decide(
            found.client_id, lambda state, context: rules.close(state, context, transaction_id, tariff=self._tariff)
        )
        if not closed:
            raise TransactionEnded(transaction_id)
        return await self._find(transaction_id)

    async def _find(self, transaction_id: int) -> Transaction:
        found: Transaction | None = await self._shared.ledger.read(queries.transaction_of_any, transaction_id)
        if found is None:
            raise UnknownTransaction(transaction_id)
        return found
