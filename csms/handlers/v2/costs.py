"""What a driver is told of costs, and what a prepaid driver may take (OCPP 2.x I02, I03, E16)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from csms.events.payload import Number
from csms.handlers.request import Policy
from csms.ledger.authorization import TagFacts, TagInfo
from csms.ledger.cost import running_cost
from csms.ledger.device_model import Known
from csms.ledger.numbers import number
from csms.ledger.state import ChargePointState, Transaction
from csms.ledger.variables import ACTUAL, VariableName

SUPPORTED_LIMITS = VariableName(component="TxCtrlr", variable="SupportedLimits")
"""Which limits of a transaction a station keeps to (2.1 appendix §2.8.1)."""
_MAX_ENERGY = "maxenergy"


def total_cost(state: ChargePointState, policy: Policy, transaction: Transaction, at: datetime) -> Number | None:
    """Return the totalCost of an answer about a transaction: the final one, or the one so far where that is wanted.

    Nothing is told where sessions are free because nobody has entered a price; of a tariff that the charge point has itself
    0 is told, too (I03.FR.04).
    """
    tariff = state.tariff or policy.tariff
    if state.tariff is None and tariff.pricing_model == "free":
        return None
    if transaction.status != "active":
        return number(transaction.cost) if transaction.cost is not None else None
    return number(running_cost(transaction, tariff, at).total) if policy.tells_running_cost else None


def transaction_limit(info: TagInfo, facts: TagFacts, transaction: Transaction) -> dict[str, Any] | None:
    """Return the transactionLimit of an answer to an event with a token (OCPP 2.1 E16.FR.02): what the tag's budget leaves.

    A limit counts from the beginning of the transaction: what that has taken already is not lost to it.
    """
    if info.status != "Accepted" or info.budget_left_wh is None or transaction.status != "active":
        return None
    taken_wh = sum(
        session.energy_wh for session in facts.sessions if session.transaction_id == transaction.transaction_id
    )
    return {"max_energy": number(info.budget_left_wh + taken_wh)}


def may_limit_energy(known: Known) -> bool:
    """Tell whether a station may be told a limit of energy: where its device model is not known here, it may (E16.FR.12)."""
    limits = known.values.get((SUPPORTED_LIMITS.key, ACTUAL))
    if limits is None or limits.value is None:
        return True
    return _MAX_ENERGY in {limit.strip().casefold() for limit in limits.value.split(",")}
