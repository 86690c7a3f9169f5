"""The password of a charging station in OCPP 2.x: the variable BasicAuthPassword (part 2, A01, §2.2.1 of the appendices).

SecurityCtrlr has it in both versions; a 2.1 station keeps that of its network configurations the same.
"""

from __future__ import annotations

from typing import Any

from ocpp.v201.enums import Action

from csms.handlers.command_set import PasswordChange, Payload

_COMPONENT, _VARIABLE = "SecurityCtrlr", "BasicAuthPassword"


def _request(password: str) -> Payload:
    return {
        "setVariableData": [
            {"attributeValue": password, "component": {"name": _COMPONENT}, "variable": {"name": _VARIABLE}}
        ]
    }


def _given(payload: Payload) -> str | None:
    values = [item.get("attributeValue") for item in _of_the_password(payload.get("setVariableData"))]
    return values[0] if values and isinstance(values[0], str) else None


def _answer(response: Payload) -> str:
    answers = [str(item.get("attributeStatus", "")) for item in _of_the_password(response.get("setVariableResult"))]
    return answers[0] if answers else ""


def _of_the_password(items: Any) -> list[dict[str, Any]]:
    """Return the items that are about the password, in whatever component it is (2.1 has it in NetworkConfiguration, too)."""
    return [item for item in items if isinstance(item, dict) and _names_it(item)] if isinstance(items, list) else []


def _names_it(item: dict[str, Any]) -> bool:
    variable = item.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else None
    return isinstance(name, str) and name.casefold() == _VARIABLE.casefold()


PASSWORD_CHANGE = PasswordChange(Action.set_variables.value, _request, _given, _answer)
