"""What is known of a charge point by kind and key, where no table of its own is worth it."""

from __future__ import annotations

from typing import Any

import msgspec

from csms.ledger.decision import Context, Draft
from csms.ledger.state import Fact


def know(draft: Draft, context: Context, kind: str, key: str, value: Any) -> None:
    """Have a fact stored; it takes the place of the one that was known under this key."""
    draft.change(
        Fact(
            client_id=draft.state.charge_point.client_id,
            kind=kind,
            key=key,
            value=msgspec.json.encode(value),
            changed_at=context.now,
        )
    )
