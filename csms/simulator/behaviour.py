"""What a simulated charge point is told to do."""

from __future__ import annotations

from typing import Literal

from attrs import frozen
from ocpp.v16.enums import Reason


@frozen(kw_only=True)
class Behaviour:
    """How one charge point behaves. Times are simulated seconds unless the name's comment says real.

    ``sessions`` is how many it runs, one after the other; None goes on until `ChargePoint.finish`, 0 only waits for
    RemoteStartTransaction. ``reason`` None picks one at random for each session. ``keep`` stays connected afterwards.
    """

    sessions: int | None = 1
    duration_s: float = 3600.0
    interval_s: float = 60.0
    pause_s: float = 5.0
    speed: float = 60.0
    phases: Literal[1, 3] = 3
    connectors: int = 1
    id_tag: str = "TAG0001"
    meter_start_wh: int = 1000
    reason: Reason | None = Reason.local
    offline_after_s: float | None = None
    offline_for_s: float = 600.0
    keep: bool = False
    lookback_s: float | None = None

    # Real seconds: the speed-up shortens charging, not the network.
    answer_timeout_s: float = 30.0
    handshake_timeout_s: float = 10.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    retry_interval_s: float = 1.0
    boot_retry_s: float = 10.0
    patience_s: float | None = None
    """How long it tries to reach a server that it never reached, and refusals it accepts; None: for ever."""

    transaction_message_attempts: int = 3
    model: str = "Simulator"
    vendor: str = "csms"

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense.

        :raises ValueError: a number is out of its range; the message names it.
        """
        for name in ("duration_s", "interval_s", "answer_timeout_s", "reconnect_min_s", "handshake_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0")
        if not self.speed >= 1:
            raise ValueError("speed must be 1 or more")
        if self.sessions is not None and self.sessions < 0:
            raise ValueError("sessions must not be negative")
        if self.connectors < 1:
            raise ValueError("connectors must be 1 or more")
        if not 0 < len(self.id_tag) <= 20:
            raise ValueError("id_tag must have 1 to 20 characters")
        if self.meter_start_wh < 0:
            raise ValueError("meter_start_wh must not be negative")
