"""What the ledger knows of a station's device model (OCPP 2.x). Each of the structures but the first is a row of the store."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class Characteristics(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What values a variable can have (OCPP 2.x part 2, VariableCharacteristicsType)."""

    data_type: str | None = None
    unit: str | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    max_elements: int | None = None
    values_list: str | None = None
    supports_monitoring: bool | None = None


class VariableValue(Struct, frozen=True, kw_only=True):
    """The value of a variable's attribute as a charge point last told it (OCPP 2.x, the device model)."""

    client_id: str
    variable_key: str
    """See `csms.ledger.variables`."""
    attribute: str
    component: str
    component_instance: str | None
    evse_id: int | None
    station_connector_id: int | None
    variable: str
    variable_instance: str | None
    value: str | None
    seen_at: datetime


class Variable(VariableValue, frozen=True, kw_only=True):
    """An attribute of a variable with all that a report tells of it."""

    mutability: str | None = None
    persistent: bool | None = None
    constant: bool | None = None
    characteristics: Characteristics | None = None


class Monitor(Struct, frozen=True, kw_only=True):
    """A monitor of a variable (OCPP 2.x, functional block N)."""

    client_id: str
    monitor_id: int
    component: str
    component_instance: str | None
    evse_id: int | None
    station_connector_id: int | None
    variable: str
    variable_instance: str | None
    monitor_type: str
    value: Decimal
    severity: int
    in_transaction: bool
    """Whether it watches only while a transaction runs."""
    notification_type: str | None = None
    seen_at: datetime
    cleared_at: datetime | None = None
    """When it was gone; it is forgotten then."""


ReportKind = Literal["variables", "monitors"]


class Report(Struct, frozen=True, kw_only=True):
    """A report of the device model or of its monitors, which comes in parts (OCPP 2.x B07, B08, N02)."""

    client_id: str
    request_id: int
    kind: ReportKind
    action: str | None = None
    """What asked for it; None where the charge point sent it of its own accord."""
    request: bytes | None = None
    """The JSON of what was asked."""
    status: str | None = None
    received: tuple[tuple[int, int], ...] = ()
    """The numbers of the parts that are there: first and last of each row of them."""
    last_part: int | None = None
    """The number of the last part, once that is there."""
    generated_at: datetime | None = None
    """The latest of its parts' times."""
    begun_at: datetime
    completed_at: datetime | None = None
