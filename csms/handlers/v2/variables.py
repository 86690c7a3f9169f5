"""Variables and monitors in the payloads of OCPP 2.x. What is none is passed over: stations leave members out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from csms.handlers.command_set import Payload
from csms.handlers.request import Request
from csms.handlers.wire import instant
from csms.ledger.device_model import Answered, Reported
from csms.ledger.model import Characteristics, ReportKind
from csms.ledger.monitoring import CUSTOM, Happened, Monitored
from csms.ledger.reports import ACCEPTED, Part
from csms.ledger.variables import VariableName, attribute_of, of_wire

_LARGEST = 2**31 - 1
_LONGEST_WORD = 50
_LONGEST_LIST = 1000
_LONGEST_INFO = 1000


def request_id(payload: Payload) -> int:
    """Return the number that a report and what asked for it have in common, 0 where there is none."""
    return _number(payload.get("requestId"), 2**63 - 1) or 0


def part(request: Request, kind: ReportKind) -> Part:
    """Return which part of which report a message is."""
    payload = request.payload
    return Part(
        kind=kind,
        request_id=request_id(payload),
        number=max(_number(payload.get("seqNo")) or 0, 0),
        is_last=payload.get("tbc") is not True,
        generated=instant(request, payload.get("generatedAt")),
    )


def reported(payload: Payload) -> list[Reported]:
    """Return the attributes of variables that a NotifyReport tells of (ReportDataType)."""
    found = []
    for item, name in _named(payload.get("reportData")):
        characteristics = _characteristics(item.get("variableCharacteristics"))
        for attribute in _objects(item.get("variableAttribute")):
            kind = attribute_of(attribute.get("type"))
            if kind is not None:
                found.append(
                    Reported(
                        name=name,
                        attribute=kind,
                        value=_text(attribute.get("value")),
                        mutability=_word(attribute.get("mutability")) or "ReadWrite",
                        persistent=attribute.get("persistent") is True,
                        constant=attribute.get("constant") is True,
                        characteristics=characteristics,
                    )
                )
    return found


def monitored(payload: Payload) -> list[Monitored]:
    """Return the monitors that a NotifyMonitoringReport tells of (MonitoringDataType)."""
    return [
        monitor
        for item, name in _named(payload.get("monitor"))
        for member in _objects(item.get("variableMonitoring"))
        if (monitor := _monitor(member, member.get("id"), name, _word(member.get("eventNotificationType")))) is not None
    ]


def monitors_taken(request: Payload, response: Payload) -> list[Monitored]:
    """Return the monitors of a SetVariableMonitoring that the answer says are set."""
    asked = list(_named(request.get("setMonitoringData")))
    found = []
    for result, name in _named(response.get("setMonitoringResult")):
        matches = [
            item
            for item, other in asked
            if (other.key, item.get("type"), item.get("severity"))
            == (name.key, result.get("type"), result.get("severity"))
        ]
        if result.get("status") == ACCEPTED and matches:
            number = result.get("id", matches[0].get("id"))
            monitor = _monitor(matches[0], number, name, CUSTOM)
            found += [monitor] if monitor is not None else []
    return found


def monitors_gone(response: Payload) -> list[int]:
    """Return the monitors that are no more, by the answer to ClearVariableMonitoring."""
    return [
        number
        for result in _objects(response.get("clearMonitoringResult"))
        if result.get("status") in (ACCEPTED, "NotFound") and (number := _number(result.get("id"))) is not None
    ]


def values_got(response: Payload) -> list[Answered]:
    """Return what a station answered to GetVariables."""
    return list(_answers(response.get("getVariableResult"), None))


def values_set(request: Payload, response: Payload) -> list[Answered]:
    """Return what a station answered to SetVariables, each with the value that it was told."""
    asked = {
        (name.key, attribute_of(item.get("attributeType"))): _text(item.get("attributeValue"))
        for item, name in _named(request.get("setVariableData"))
    }
    found = _answers(response.get("setVariableResult"), asked)
    return [answer for answer in found if (answer.name.key, answer.attribute) in asked]


def happened(request: Request) -> list[Happened]:
    """Return the events that a NotifyEvent tells of (EventDataType)."""
    return [
        Happened(
            event_id=_number(item.get("eventId")) or 0,
            instant=instant(request, item.get("timestamp")),
            trigger=_word(item.get("trigger")) or "",
            name=name,
            value=_text(item.get("actualValue")),
            body=item,
            cleared=item.get("cleared") is True,
            monitor_id=_number(item.get("variableMonitoringId")),
            notification_type=_word(item.get("eventNotificationType")),
            severity=_number(item.get("severity")),
            cause=_number(item.get("cause")),
            tech_code=_word(item.get("techCode")),
            tech_info=_cut(item.get("techInfo"), _LONGEST_INFO),
            station_transaction_id=_word(item.get("transactionId")),
        )
        for item, name in _named(request.payload.get("eventData"))
    ]


def _answers(results: Any, values: dict[Any, str | None] | None) -> Iterator[Answered]:
    for result, name in _named(results):
        attribute = attribute_of(result.get("attributeType"))
        if attribute is not None:
            value = _text(result.get("attributeValue")) if values is None else values.get((name.key, attribute))
            yield Answered(name, attribute, str(result.get("attributeStatus", "")), value)


def _monitor(member: Payload, monitor_id: Any, name: VariableName, kind: str | None) -> Monitored | None:
    number, value, word = _number(monitor_id), member.get("value"), _word(member.get("type"))
    if number is None or word is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Monitored(
        monitor_id=number,
        name=name,
        monitor_type=word,
        value=Decimal(repr(value)),
        severity=_number(member.get("severity")) or 0,
        in_transaction=member.get("transaction") is True,
        notification_type=kind,
    )


def _characteristics(member: Any) -> Characteristics | None:
    if not isinstance(member, dict):
        return None
    return Characteristics(
        data_type=_word(member.get("dataType")),
        unit=_word(member.get("unit")),
        min_limit=_limit(member.get("minLimit")),
        max_limit=_limit(member.get("maxLimit")),
        max_elements=_number(member.get("maxElements")),
        values_list=_cut(member.get("valuesList"), _LONGEST_LIST),
        supports_monitoring=member.get("supportsMonitoring") is True,
    )


def _named(items: Any) -> Iterator[tuple[Payload, VariableName]]:
    """Give the items of a list that are about a variable, each with it."""
    for item in _objects(items):
        name = of_wire(item.get("component"), item.get("variable"))
        if name is not None:
            yield item, name


def _objects(items: Any) -> list[Payload]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(value: Any) -> str | None:
    """Return a value as text: stations write numbers and truth values where texts are wanted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _word(value: Any) -> str | None:
    return _cut(value, _LONGEST_WORD)


def _cut(value: Any, longest: int) -> str | None:
    return value[:longest] if isinstance(value, str) else None


def _number(value: Any, largest: int = _LARGEST) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -largest <= value <= largest:
        return None
    return int(value)


def _limit(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value
