"""Id tags: what a charge point is told about one (OCPP 1.6 §4.1, §4.8, §4.10; 2.x C01). Tags compare without case.

One rule for Authorize, StartTransaction, StopTransaction and reservations. What it has to know of a tag is read before and
given as `TagFacts`; what the tag is shown for is a `Use`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from csms.ledger.energy import ZERO
from csms.ledger.state import Transaction

TagStatus = Literal[
    "Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx", "NoCredit", "NotAtThisLocation", "Unknown"
]
"""The words of OCPP 2.x (AuthorizationStatusEnumType); 1.6 has fewer, and its handlers say what comes nearest."""
BudgetPeriod = Literal["day", "week", "month"]


TOKEN_TYPES = (
    "Central",
    "DirectPayment",
    "eMAID",
    "EVCCID",
    "ISO14443",
    "ISO15693",
    "KeyCode",
    "Local",
    "MacAddress",
    "NoAuthorization",
    "VIN",
)
"""The types of id tokens of OCPP 2.x (2.1 appendix, IdTokenEnumStringType)."""
_TOKEN_TYPES = frozenset(kind.casefold() for kind in TOKEN_TYPES)


class IdTag(Struct, frozen=True, kw_only=True):
    """An id tag that the operator entered."""

    id_tag: str
    status: Literal["Accepted", "Blocked"]
    expiry_date: datetime | None = None
    parent_id_tag: str | None = None
    type: str | None = None
    charge_points: tuple[str, ...] | None = None
    """The charge points that it may use; None is all."""
    max_transactions: int | None = None
    """How many transactions it may have at once; None is any number."""
    budget_kwh: Decimal | None = None
    """How much energy it may take in a period; None is any amount."""
    budget_period: BudgetPeriod | None = None
    evses: tuple[int, ...] | None = None
    """The EVSEs that it may use, at each of its charge points; None is all. In OCPP 1.6 they are connectors."""


class TagInfo(Struct, frozen=True, gc=False):
    """The answer about a tag (IdTagInfo, OCPP 1.6 §7.27; IdTokenInfoType of 2.x)."""

    status: TagStatus
    expiry_date: datetime | None = None
    parent_id_tag: str | None = None
    budget_left_wh: Decimal | None = None
    """What is left of its budget, where it has one; never below zero."""
    evses: tuple[int, ...] | None = None
    """The EVSEs that it may use; None is all."""


class TagSession(Struct, frozen=True, gc=False):
    """A transaction of a tag, at whatever charge point; without a stop time it runs."""

    client_id: str
    transaction_id: int
    start_time: datetime
    stop_time: datetime | None
    energy_wh: Decimal


class TagFacts(Struct, frozen=True, kw_only=True):
    """What is known of an id tag that a charge point has named."""

    tag: IdTag | None = None
    """None where the operator did not enter it."""
    parent: IdTag | None = None
    """Its parent, where that is a tag itself (§3.10)."""
    told: TagInfo | None = None
    """What the external authority said of a tag that is unknown here."""
    sessions: tuple[TagSession, ...] = ()
    """Those that run, and those that ended since `sessions_since`; read only where it names a time."""
    running_here: tuple[tuple[str, str | None], ...] = ()
    """Tag and parent of what runs at the charge point; read only where the tag has limits."""


class Use(Struct, frozen=True, kw_only=True):
    """What a tag is shown for: the charge point, the time, and the transaction that it starts, if it does."""

    client_id: str
    now: datetime
    type: str | None = None
    """What kind of token the charge point says it is (OCPP 2.x); None where the version has no such word."""
    starts: Transaction | None = None
    """The transaction that it has started or, where the message comes again, started then."""
    is_repetition: bool = False
    beside: tuple[Transaction, ...] = ()
    """What runs at this charge point after the start."""


def fold(id_tag: str) -> str:
    """Return the form under which a tag is known, whatever its case."""
    return id_tag.casefold()


def authorize(facts: TagFacts, use: Use, unknown: TagStatus) -> TagInfo:
    """Judge a tag.

    ``unknown`` is what a tag is told that nobody knows. What is Blocked or Expired is told so, whatever else is wrong with it
    (steve#25).
    """
    tag = facts.tag
    if tag is not None:
        info = _judge(TagInfo(tag.status, tag.expiry_date, tag.parent_id_tag), facts.parent, use.now)
        if info.status == "Accepted" and not _is_of_type(tag, use.type):
            return TagInfo("Invalid" if unknown == "Accepted" else unknown)
        return _limit(info, tag, facts, use) if info.status == "Accepted" and is_limited(tag) else info
    return _judge(facts.told if facts.told is not None else TagInfo(unknown), facts.parent, use.now)


def _is_of_type(tag: IdTag, kind: str | None) -> bool:
    """Tell whether a token is the tag that was entered: one of another type is another token (OCPP 2.1 C01.FR.25).

    What the operator calls a type counts where it is one of OCPP's.
    """
    if kind is None or tag.type is None:
        return True
    entered = tag.type.casefold()
    return entered not in _TOKEN_TYPES or entered == kind.casefold()


def is_limited(tag: IdTag) -> bool:
    """Tell whether a tag has limits beside its status and expiry."""
    return (tag.charge_points, tag.max_transactions, tag.budget_kwh, tag.evses) != (None, None, None, None)


def sessions_since(tag: IdTag, now: datetime) -> datetime | None:
    """Return from when on the transactions of a tag have to be known; None where its limits do not ask for them."""
    if tag.budget_kwh is not None and tag.budget_period is not None:
        return period_start(tag.budget_period, now)
    return now if tag.max_transactions is not None else None


def period_start(period: BudgetPeriod, now: datetime) -> datetime:
    """Return when the present period of a budget began: the UTC day, the week from Monday on, or the month."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if period == "month" else midnight


def energy_since(sessions: Iterable[TagSession], since: datetime, now: datetime) -> Decimal:
    """Return the energy in Wh that sessions took since a time: of one that began before, the part by its duration."""
    total = ZERO
    for session in sessions:
        end = session.stop_time or now
        if session.start_time >= since:
            total += session.energy_wh
        elif end > since:
            total += session.energy_wh * _seconds(end - since) / _seconds(end - session.start_time)
    return total


def _judge(info: TagInfo, parent: IdTag | None, now: datetime) -> TagInfo:
    """Judge status and expiry; a parent that is Blocked or Expired makes its children so, and they expire with it."""
    if info.status == "Accepted" and _is_past(info.expiry_date, now):
        info = replace(info, status="Expired")
    if info.status != "Accepted" or parent is None:
        return info
    if parent.status == "Blocked":
        return replace(info, status="Blocked")
    if parent.expiry_date is None:
        return info
    earlier = min(parent.expiry_date, info.expiry_date or parent.expiry_date)
    return replace(info, status="Expired" if _is_past(parent.expiry_date, now) else "Accepted", expiry_date=earlier)


def _limit(info: TagInfo, tag: IdTag, facts: TagFacts, use: Use) -> TagInfo:
    """Judge the limits of a tag that is Accepted otherwise.

    They are limits of starting. Where something runs that the tag may stop, it is Accepted to do so (§3.10): a charge point
    asks the same question before a stop, and the start of another transaction is judged when it comes. ConcurrentTx is for
    StartTransaction only (§7.2).
    """
    left_wh = _budget_left(tag, facts, use.now)
    info = replace(info, budget_left_wh=left_wh, evses=tag.evses)
    if use.starts is None and _may_stop(tag, facts.running_here):
        return info
    if left_wh == ZERO:
        return replace(info, status="NoCredit")
    if tag.charge_points is not None and use.client_id not in tag.charge_points:
        return replace(info, status="NotAtThisLocation", evses=None)  # C01.FR.22
    if tag.evses is not None and use.starts is not None and _evse(use.starts) not in {*tag.evses, 0}:
        return replace(info, status="NotAtThisLocation")
    if tag.max_transactions is not None and use.starts is not None:
        others = _running_beside(tag, facts, use, use.starts)
        if others >= tag.max_transactions:
            return replace(info, status="ConcurrentTx")
    return info


def _evse(transaction: Transaction) -> int:
    """Return the EVSE of a transaction, 0 where it is not known yet."""
    return transaction.evse_id if transaction.evse_id is not None else transaction.connector_id


def _budget_left(tag: IdTag, facts: TagFacts, now: datetime) -> Decimal | None:
    if tag.budget_kwh is None or tag.budget_period is None:
        return None
    used_wh = energy_since(facts.sessions, period_start(tag.budget_period, now), now)
    return max(tag.budget_kwh * 1000 - used_wh, ZERO)


def _may_stop(tag: IdTag, running: Iterable[tuple[str, str | None]]) -> bool:
    """Tell whether one of these transactions is the tag's own, or of its group: its parent is the same, or one of them."""
    mine = _group(tag.id_tag, tag.parent_id_tag)
    return any(mine & _group(*other) for other in running)


def _group(id_tag: str, parent_id_tag: str | None) -> set[str]:
    return {fold(id_tag)} if parent_id_tag is None else {fold(id_tag), fold(parent_id_tag)}


def _running_beside(tag: IdTag, facts: TagFacts, use: Use, started: Transaction) -> int:
    """Count the tag's running transactions beside the one that it starts.

    At this charge point those count that run after the start: one that it closed as forgotten does not. Where a start comes
    again it is judged as it was then: what began later does not count.
    """
    folded = fold(tag.id_tag)
    begun = [
        *(other.start_time for other in facts.sessions if other.stop_time is None and other.client_id != use.client_id),
        *(
            other.start_time
            for other in use.beside
            if other.transaction_id != started.transaction_id and fold(other.id_tag) == folded
        ),
    ]
    return sum(not use.is_repetition or at <= started.start_time for at in begun)


def _is_past(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def _seconds(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta(microseconds=1)) / 1_000_000
