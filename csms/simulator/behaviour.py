"""What a simulated charge point is told to do."""

from __future__ import annotations

from typing import Literal

from attrs import frozen
from ocpp.v16.enums import Reason
from ocpp.v21.enums import ReasonEnumType as Reason21
from ocpp.v201.enums import ReasonEnumType as Reason201

from csms.ocppj.versions import V16, V21, V201, Version

REASONS = {
    V16: tuple(reason.value for reason in Reason),
    V201: tuple(reason.value for reason in Reason201),
    V21: tuple(reason.value for reason in Reason21),
}
"""Why a session can stop, in the words of each version."""
_LONGEST_ID_TAG = {V16: 20, V201: 36, V21: 255}


@frozen(kw_only=True)
class Behaviour:
    """How one charge point behaves. Times are simulated seconds unless the name's comment says real.

    ``sessions`` is how many it runs, one after the other; None goes on until `ChargePoint.finish`, 0 only waits for
    the server to start one. ``connectors`` are EVSEs with one connector each in 2.x. ``reason`` is a word of the version,
    None picks one at random for each session. ``keep`` stays connected afterwards.
    ``signed_readings`` signs the registers of start and end (2.x).
    """

    version: Version = V16
    sessions: int | None = 1
    duration_s: float = 3600.0
    interval_s: float = 60.0
    pause_s: float = 5.0
    speed: float = 60.0
    phases: Literal[1, 3] = 3
    connectors: int = 1
    id_tag: str = "TAG0001"
    meter_start_wh: int = 1000
    reason: str | None = "Local"
    offline_after_s: float | None = None
    offline_for_s: float = 600.0
    keep: bool = False
    signed_readings: bool = False
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
        longest = _LONGEST_ID_TAG[self.version]
        if not 0 < len(self.id_tag) <= longest:
            raise ValueError(f"id_tag must have 1 to {longest} characters")
        if self.reason is not None and self.reason not in REASONS[self.version]:
            raise ValueError(f"reason {self.reason} is none of OCPP {self.version.name}")
        if self.meter_start_wh < 0:
            raise ValueError("meter_start_wh must not be negative")
