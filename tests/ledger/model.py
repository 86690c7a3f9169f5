"""A charge point with a device model: the rules, with what the store does between two of them."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from csms.ledger import clock, device_model, monitoring, reports
from csms.ledger.device_model import Answered, Known, KnownValue, Reported
from csms.ledger.model import Monitor, Report, Variable, VariableValue
from csms.ledger.reports import Part
from csms.ledger.state import Record
from csms.ledger.variables import parse
from tests.ledger.station import Station, at


class Model(Station):
    """``rows`` are by name and attribute, ``monitors`` and ``reports`` by their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.monitors: dict[int, Monitor] = {}
        self.reports: dict[int, Report] = {}

    def _write(self, change: object) -> None:
        super()._write(change)
        if isinstance(change, VariableValue):
            key = (change.variable_key, change.attribute)
            self.rows[key] = {**self.rows.get(key, {}), **structs.asdict(change)}
        elif isinstance(change, Monitor):
            self.monitors[change.monitor_id] = change
        elif isinstance(change, Report):
            self.reports[change.request_id] = change

    @property
    def known(self) -> Known:  # type: ignore[override]
        values = {
            key: KnownValue(row["value"], row.get("mutability"), row.get("characteristics"))
            for key, row in self.rows.items()
        }
        return Known(values, len(values))

    def value(self, name: str, attribute: str = "Actual") -> Any:  # type: ignore[override]
        return self.rows[(parse(name).key, attribute)]["value"]

    def forget(self) -> None:
        """Connect anew: what is remembered between messages is gone."""
        self.state = structs.replace(self.state, reports={})

    def requested(self, request_id: int = 1, status: str = "Accepted", kind: str = "variables", **request: Any) -> None:
        action = "GetBaseReport" if kind == "variables" else "GetMonitoringReport"
        self.apply(
            reports.requested(
                self.state,
                self.context(),
                kind=kind,
                action=action,
                request_id=request_id,
                request={"requestId": request_id, **request},
                status=status,
            )
        )

    def part(
        self, number: int, *, last: bool = False, request_id: int = 1, kind: str = "variables", time: str = "11:00"
    ) -> Part:
        return Part(kind, request_id, number, last, clock.judge(at(time), self.now))

    def notify(self, part: Part, **values: str) -> None:
        """Send a NotifyReport with values of variables of the component X."""
        items = [Reported(parse(f"X.{name}"), "Actual", value, "ReadWrite") for name, value in values.items()]
        self.notify_items(part, items)

    def notify_items(self, part: Part, items: list[Reported]) -> None:
        before = self.state.reports.get(part.request_id) or self.reports.get(part.request_id)
        self.apply(
            device_model.report(self.state, self.context(), part=part, variables=items, before=before, known=self.known)
        )

    def got(self, name: str, value: str | None, status: str = "Accepted", attribute: str = "Actual") -> None:
        answers = [Answered(parse(name), attribute, status, value)]
        self.apply(device_model.got(self.state, self.context(), answers=answers, known=self.known))

    def set(self, name: str, value: str, status: str = "Accepted", attribute: str = "Actual") -> None:
        answers = [Answered(parse(name), attribute, status, value)]
        self.apply(device_model.changed(self.state, self.context(), answers=answers, known=self.known))

    def notify_monitors(self, part: Part, *items: monitoring.Monitored) -> None:
        before = self.state.reports.get(part.request_id) or self.reports.get(part.request_id)
        self.apply(
            monitoring.report(self.state, self.context(), part=part, monitors=items, before=before, known=self.monitors)
        )

    def happened(self, *events: monitoring.Happened) -> None:
        self.apply(
            monitoring.events(self.state, self.context(), happened=events, known=self.known, monitors=self.monitors)
        )

    def told(self) -> list[dict[str, Any]]:
        return self.payloads("configuration_changed")


__all__ = ["Model", "Record", "Variable"]
