"""Reports that come in parts: collected under their request's id until the last one is there (OCPP 2.x, ``tbc``).

They are collected in memory, within bounds: each part is also kept as it came, so that none is lost with a connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from csms.ledger.decision import Draft
from csms.ledger.state import Parts

MOST_REPORTS = 8
MOST_BYTES = 1024 * 1024
_NOTHING = Parts((), 0, is_complete=True)


def collect(draft: Draft, kind: str, request_id: int, items: Sequence[Any], *, more: bool) -> Parts | None:
    """Add a part to its report; return the whole report where it was the last one.

    Where it has grown too large further items are left out, and it is not complete.
    """
    key = kind, request_id
    reports = dict(draft.state.parts)
    before = reports.pop(key, _NOTHING)
    size = before.size + len(msgspec.json.encode(items))
    whole = (
        Parts((*before.items, *items), size, before.is_complete)
        if size <= MOST_BYTES
        else Parts(before.items, before.size, is_complete=False)
    )
    if more:
        reports[key] = whole
        while len(reports) > MOST_REPORTS:
            del reports[next(iter(reports))]
    if reports or draft.state.parts:
        draft.state = replace(draft.state, parts=reports)
    return None if more else whole
