"""What a central system can send in one OCPP version, and what the ledger learns from the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState

Payload = dict[str, Any]


@frozen(eq=False)
class Learner:
    """What follows for the ledger from the answer to a CALL of ours.

    ``rule(state, context, request, response, known) -> Decision``. It must bear any response: charge points leave members
    out. ``known`` is what ``query(connection, client_id)`` said before or, where the request names a tag, how it was judged
    (`csms.ledger.authorization.TagInfo`); None without either, and where it could not be judged.
    """

    rule: Callable[..., Decision[Any]]
    query: Callable[..., Any] | None = None
    id_tag: Callable[[Payload], tuple[str, str | None] | None] | None = None
    """Which id tag a request names for a start to come, and its type where the version has types; None where it is no tag.

    It is judged before the CALL is sent, and sent whatever the verdict.
    """


def learner(rule: Callable[[ChargePointState, Context, Payload, Payload], Decision[Any]]) -> Learner:
    """Return a learner that needs nothing but the state and the two payloads."""
    return Learner(lambda state, context, request, response, _known: rule(state, context, request, response))


@frozen(eq=False)
class PasswordChange:
    """How a charge point is given a password.

    ``request(password)`` is the payload of ``action`` that does it, ``given(payload)`` the password in such a payload, None
    where it is about something else, and ``answer(response)`` the charge point's word about it.
    """

    action: str
    request: Callable[[str], Payload]
    given: Callable[[Payload], str | None]
    answer: Callable[[Payload], str]


@frozen(eq=False)
class CommandSet:
    """The commands of one version; an action without a learner needs no code of its own."""

    actions: frozenset[str]
    learners: Mapping[str, Learner]
    not_while_pending: frozenset[str]
    """What must not be sent to a charge point whose registration is Pending."""
    asks_for: Callable[[str, Payload], frozenset[str]] = lambda _action, _payload: frozenset()
    """What a command lets a charge point send whose registration is Pending."""
    password: PasswordChange | None = None
