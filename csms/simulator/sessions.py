"""What a simulated charge point knows of its charging sessions: the record to compare a ledger with."""

from __future__ import annotations

from typing import Any

from attrs import asdict, define


@define(eq=False)
class SessionRecord:
    """One charging session as the charge point saw it; exact, and never rewritten.

    Times are as they were sent. ``version`` is the OCPP version. ``transaction_id`` is in 1.6 the number in the answer to
    StartTransaction, None until it came, in 2.x the string that the charge point itself made up. ``total_cost`` is what the server said last that it costs (2.x), ``state_changes`` are the
    messages about its chargingState (2.x). ``dropped`` is how many of its messages were given up after too many CALLERRORs.
    """

    client_id: str
    connector_id: int
    id_tag: str
    meter_start_wh: int
    start_timestamp: str
    started_offline: bool
    version: str = "1.6"
    transaction_id: int | str | None = None
    id_tag_status: str | None = None
    total_cost: float | None = None
    start_answered: bool = False
    meter_stop_wh: int | None = None
    stop_timestamp: str | None = None
    reason: str | None = None
    stop_answered: bool = False
    meter_values: int = 0
    meter_values_answered: int = 0
    state_changes: int = 0
    state_changes_answered: int = 0
    repeated: int = 0
    dropped: int = 0

    @property
    def ended(self) -> bool:
        """Whether the car has stopped charging; the server may not know yet."""
        return self.stop_timestamp is not None

    @property
    def settled(self) -> bool:
        """Whether it ended and the server answered everything about it."""
        return (
            self.ended
            and self.start_answered
            and self.stop_answered
            and self.meter_values_answered == self.meter_values
            and self.state_changes_answered == self.state_changes
        )

    @property
    def energy_wh(self) -> int:
        """The energy of the session in Wh, 0 until it ended."""
        return 0 if self.meter_stop_wh is None else self.meter_stop_wh - self.meter_start_wh

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON members (for ``csms simulate --json``)."""
        return asdict(self)
