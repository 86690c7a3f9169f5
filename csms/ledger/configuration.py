"""Configuration keys: their last known values, and what the operator wants (OCPP 1.6 §5.3, §5.8). Secrets are never kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct

from csms.events.business import ConfigurationChanged
from csms.events.redaction import REDACTED, names_a_secret, without_secrets
from csms.ledger import chargepoints
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState, ConfigurationKey, ConfigurationResult

TAKEN = frozenset({"Accepted", "RebootRequired"})
UNCHANGED = "Unchanged"
READ_ONLY = "ReadOnly"
NOT_SUPPORTED = "NotSupported"
_LONGEST_KEY = 100
_MOST_KEYS = 1000


class Observed(Struct, frozen=True, gc=False):
    """A key as a charge point tells it."""

    key: str
    value: str | None
    readonly: bool


class Outcome(Struct, frozen=True, gc=False):
    """What came of a key that the operator wants.

    ``status`` is what the charge point answered, `UNCHANGED` where there was nothing to do, `READ_ONLY` where there was no
    use in asking, `NOT_SUPPORTED` where it has no such key, and ``Timeout`` and the like where there was no answer.
    """

    status: str
    read_value: str | None = None


def is_secret(key: str) -> bool:
    """Tell whether the value of a key must not be kept, by the name of it."""
    return names_a_secret(key)


def same(one: str | None, other: str | None) -> bool:
    """Tell whether two values mean the same: truth values do in any case."""
    if one is not None and other is not None and {one.casefold(), other.casefold()} <= {"true", "false"}:
        return one.casefold() == other.casefold()
    return one == other


def observe(
    state: ChargePointState, context: Context, *, observed: Sequence[Observed], known: Mapping[str, ConfigurationKey]
) -> Decision[None]:
    """Take what a charge point tells of its keys; an event for each whose value is not the one that was known.

    ``known`` is by the key's folded name: keys are the same in any case (CiString50Type).
    """
    draft = Draft(state, context)
    for item in observed[:_MOST_KEYS]:
        if len(item.key) > _LONGEST_KEY:
            continue
        before = known.get(item.key.casefold())
        after = _key(state, context, before.key if before is not None else item.key, item.value, readonly=item.readonly)
        draft.change(after)
        if before is not None and before.value != after.value:
            _tell(draft, after.key, after.value, before.value)
    return draft.decide(None)


def change(
    state: ChargePointState, context: Context, *, key: str, value: str, answer: str, known: ConfigurationKey | None
) -> Decision[None]:
    """Take a charge point's answer to a change: where it was taken the value is the one that is known now."""
    if answer not in TAKEN or len(key) > _LONGEST_KEY:
        return Decision(None, state)
    draft = Draft(state, context)
    after = _key(state, context, known.key if known is not None else key, value, readonly=False)
    before = known.value if known is not None else None
    if known is None or before != after.value:
        draft.change(after)
    if known is None or before != after.value or is_secret(key):
        _tell(draft, after.key, after.value, before, status=answer)
    return draft.decide(None)


def arrive(
    state: ChargePointState, context: Context, *, wanted: Mapping[str, str], outcomes: Mapping[str, Outcome]
) -> Decision[None]:
    """Keep what came of the configuration that the operator wants, and tell of what was not taken; both by key."""
    draft = Draft(state, context)
    body = {}
    for key, outcome in outcomes.items():
        value = shown(key, wanted[key])
        body[key] = {"wanted": value, "status": outcome.status}
        draft.change(
            ConfigurationResult(
                client_id=state.charge_point.client_id,
                key=key.casefold(),
                wanted=value,
                status=outcome.status,
                read_value=shown(key, outcome.read_value) if outcome.read_value is not None else None,
                at=context.now,
            )
        )
        if outcome.status not in TAKEN and outcome.status != UNCHANGED:
            draft.emit("configuration_changed", ConfigurationChanged(key=key, wanted=value, status=outcome.status))
    draft.change(chargepoints.record(state, context, "WantedConfiguration", body))
    return draft.decide(None)


def shown(key: str, value: str) -> str:
    """Return a value without secrets. None is wanted; where one is in the ledger all the same, it goes no further."""
    return REDACTED if is_secret(key) else str(without_secrets(value))


def _key(state: ChargePointState, context: Context, key: str, value: str | None, *, readonly: bool) -> ConfigurationKey:
    return ConfigurationKey(
        client_id=state.charge_point.client_id,
        key=key,
        value=None if is_secret(key) else without_secrets(value),
        readonly=readonly,
        seen_at=context.now,
    )


def _tell(draft: Draft, key: str, value: str | None, before: str | None, status: str | None = None) -> None:
    draft.emit(
        "configuration_changed",
        ConfigurationChanged(
            key=key,
            value=value if value is not None else UNSET,
            previous_value=before if before is not None else UNSET,
            status=status or UNSET,
        ),
    )
