"""``…/variables``, ``…/monitors``, ``…/reports``: the device model of OCPP 2.x as charge points told it last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from attrs import define
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from csms.api import paging
from csms.api.parameters import Listing, given, known
from csms.api.ports import Ledger
from csms.api.problems import not_found
from csms.api.routes import Answer, Exchange, Route, Shown
from csms.events.business import Number
from csms.ledger.model import Monitor, Report, ReportKind, Variable
from csms.ledger.numbers import number
from csms.ledger.variables import VariableName
from csms.store import variables as store

EvseId = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=50)]


class VariablesQuery(Listing, frozen=True):
    """Which variables; names are the same in any case."""

    component: Name | UnsetType = UNSET
    variable: Name | UnsetType = UNSET
    evse_id: EvseId | UnsetType = UNSET


class MonitorsQuery(Listing, frozen=True):
    """Which monitors."""

    evse_id: EvseId | UnsetType = UNSET


class ShownAttribute(Shown, frozen=True):
    """An attribute of a variable; the value of a secret is never there."""

    type: str
    seen_at: datetime
    value: str | UnsetType = UNSET
    mutability: str | UnsetType = UNSET
    persistent: bool | UnsetType = UNSET
    constant: bool | UnsetType = UNSET


class ShownCharacteristics(Shown, frozen=True):
    """What values a variable can have."""

    data_type: str | UnsetType = UNSET
    unit: str | UnsetType = UNSET
    min_limit: Number | UnsetType = UNSET
    max_limit: Number | UnsetType = UNSET
    max_elements: int | UnsetType = UNSET
    values_list: str | UnsetType = UNSET
    supports_monitoring: bool | UnsetType = UNSET


class ShownVariable(Shown, frozen=True):
    """A variable of a component as the charge point last told it; `key` is its name in one."""

    key: str
    component: str
    variable: str
    attributes: Sequence[ShownAttribute]
    component_instance: str | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    variable_instance: str | UnsetType = UNSET
    characteristics: ShownCharacteristics | UnsetType = UNSET


class VariablePage(Shown, frozen=True):
    """A page of variables, by name."""

    items: Sequence[ShownVariable]
    next: str | UnsetType = UNSET


class ShownMonitor(Shown, frozen=True):
    """A monitor of a variable, as the charge point last told it or took it."""

    monitor_id: int
    key: str
    component: str
    variable: str
    type: str
    value: Number
    severity: int
    transaction: bool
    seen_at: datetime
    component_instance: str | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    variable_instance: str | UnsetType = UNSET
    notification_type: str | UnsetType = UNSET


class MonitorPage(Shown, frozen=True):
    """A page of monitors, by their ids."""

    items: Sequence[ShownMonitor]
    next: str | UnsetType = UNSET


class ShownReport(Shown, frozen=True):
    """A report that was asked for, or came: `complete` where no part is missing; `parts` is how many are there.

    `action` and `request` are what asked for it, `status` is what the charge point answered that.
    """

    request_id: int
    report: ReportKind
    complete: bool
    parts: int
    begun_at: datetime
    action: str | UnsetType = UNSET
    request: dict[str, Any] | UnsetType = UNSET
    status: str | UnsetType = UNSET
    generated_at: datetime | UnsetType = UNSET
    completed_at: datetime | UnsetType = UNSET


@define(eq=False)
class Variables:
    """The device model. It is asked for by the commands GetBaseReport, GetReport, GetVariables and GetMonitoringReport."""

    _ledger: Ledger

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        of_point = "/chargepoints/{clientId}"
        return [
            Route(
                "GET", f"{of_point}/variables", "listVariables", "The last known variables of a charge point",
                self.variables, {200: VariablePage}, query=VariablesQuery, problems=(404,),
            ),
            Route(
                "GET", f"{of_point}/monitors", "listMonitors", "The last known monitors of a charge point",
                self.monitors, {200: MonitorPage}, query=MonitorsQuery, problems=(404,),
            ),
            Route(
                "GET", f"{of_point}/reports/{{requestId}}", "getReport", "Whether a report is complete",
                self.report, {200: ShownReport}, problems=(404,),
            ),
        ]  # fmt: skip

    async def variables(self, exchange: Exchange) -> Answer:
        """Return a page of a charge point's variables."""
        query: VariablesQuery = exchange.query
        client_id = exchange.path["clientId"]
        after = paging.decode(query.cursor, str)
        wanted = (given(query.component), given(query.variable), given(query.evse_id))
        found = await self._ledger.browse(_variables, client_id, after, query.limit, wanted)
        if found is None:
            raise not_found(f"charge point {client_id!r}")
        page, following = paging.split(found, query.limit, lambda attributes: attributes[0].variable_key)
        return Answer(VariablePage(items=[_shown_variable(attributes) for attributes in page], next=following))

    async def monitors(self, exchange: Exchange) -> Answer:
        """Return a page of a charge point's monitors."""
        query: MonitorsQuery = exchange.query
        client_id = exchange.path["clientId"]
        after = paging.decode(query.cursor, Annotated[int, Meta(ge=-(2**31), le=2**31)])
        found = await self._ledger.browse(_monitors, client_id, after, query.limit, given(query.evse_id))
        if found is None:
            raise not_found(f"charge point {client_id!r}")
        page, following = paging.split(found, query.limit, lambda monitor: monitor.monitor_id)
        return Answer(MonitorPage(items=[_shown_monitor(monitor) for monitor in page], next=following))

    async def report(self, exchange: Exchange) -> Answer:
        """Return how far a report is."""
        client_id, request_id = exchange.path["clientId"], exchange.path["requestId"]
        found = await self._ledger.browse(store.report, client_id, request_id)
        if found is None:
            raise not_found(f"report {request_id} of charge point {client_id!r}")
        return Answer(_shown_report(found))


def _variables(
    connection: Connection, client_id: str, after: str | None, limit: int, wanted: tuple[Any, ...]
) -> list[list[Variable]] | None:
    component, variable, evse_id = wanted
    return store.variables_after(
        connection, client_id, after, limit, component=component, variable=variable, evse_id=evse_id
    )


def _monitors(
    connection: Connection, client_id: str, after: int | None, limit: int, evse_id: int | None
) -> list[Monitor] | None:
    return store.monitors_after(connection, client_id, after, limit, evse_id=evse_id)


def _shown_variable(attributes: Sequence[Variable]) -> ShownVariable:
    characteristics = next((row.characteristics for row in attributes if row.characteristics is not None), None)
    members = msgspec.structs.asdict(characteristics) if characteristics is not None else {}
    return ShownVariable(
        **_name(attributes[0]).told(),
        attributes=[_shown_attribute(row) for row in attributes],
        characteristics=ShownCharacteristics(**{name: known(value) for name, value in members.items()})
        if characteristics is not None
        else UNSET,
    )


def _shown_attribute(row: Variable) -> ShownAttribute:
    return ShownAttribute(
        type=row.attribute,
        seen_at=row.seen_at,
        value=known(row.value),
        mutability=known(row.mutability),
        persistent=known(row.persistent),
        constant=known(row.constant),
    )


def _shown_monitor(row: Monitor) -> ShownMonitor:
    return ShownMonitor(
        **_name(row).told(),
        monitor_id=row.monitor_id,
        type=row.monitor_type,
        value=number(row.value),
        severity=row.severity,
        transaction=row.in_transaction,
        seen_at=row.seen_at,
        notification_type=known(row.notification_type),
    )


def _shown_report(row: Report) -> ShownReport:
    return ShownReport(
        request_id=row.request_id,
        report=row.kind,
        complete=row.completed_at is not None,
        parts=sum(last - first + 1 for first, last in row.received),
        begun_at=row.begun_at,
        action=known(row.action),
        request=msgspec.json.decode(row.request) if row.request is not None else UNSET,
        status=known(row.status),
        generated_at=known(row.generated_at),
        completed_at=known(row.completed_at),
    )


def _name(row: Variable | Monitor) -> VariableName:
    return VariableName(**{part: getattr(row, part) for part in VariableName.__struct_fields__})
