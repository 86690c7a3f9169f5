"""What a session costs: exact decimals, rounded once, half up, to the currency's minor unit."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from msgspec import Struct

from csms.ledger.energy import ZERO, EnergyMeter

_MINOR_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
"""ISO 4217 exponents that are not 2."""


class Tariff(Struct, frozen=True):
    """Rates in ``currency``: per kWh, per minute and per session."""

    currency: str = "EUR"
    energy_rate: Decimal = Decimal(0)
    time_rate: Decimal = Decimal(0)
    session_fee: Decimal = Decimal(0)

    @property
    def pricing_model(self) -> str:
        """Which of the rates make the price: ``energy``, ``time`` and ``session`` joined by ``+``, or ``free``."""
        rates = {"energy": self.energy_rate, "time": self.time_rate, "session": self.session_fee}
        return "+".join(name for name, rate in rates.items() if rate) or "free"


class Cost(Struct, frozen=True):
    """A cost and its parts before rounding."""

    total: Decimal
    energy: Decimal
    time: Decimal
    session: Decimal


class Running(Protocol):
    """The part of a transaction that its cost so far depends on."""

    @property
    def start_time(self) -> datetime:
        """When it began."""

    @property
    def meter(self) -> EnergyMeter:
        """How far it has come."""


def running_cost(transaction: Running, tariff: Tariff, at: datetime) -> Cost:
    """Return what a transaction costs that still runs at a time: by its latest reading, and by the time that has passed."""
    seconds = Decimal(str((at - transaction.start_time).total_seconds()))
    return cost(tariff, transaction.meter.so_far_wh, max(seconds, ZERO))


def cost(tariff: Tariff, energy_wh: Decimal, seconds: Decimal) -> Cost:
    """Return the cost of a session."""
    energy = energy_wh / 1000 * tariff.energy_rate
    time = seconds * tariff.time_rate / 60  # the division last: a price of half a cent is one exactly
    unit = Decimal(1).scaleb(-_MINOR_DIGITS.get(tariff.currency, 2))
    total = (energy + time + tariff.session_fee).quantize(unit, ROUND_HALF_UP)
    return Cost(total, energy, time, tariff.session_fee)
