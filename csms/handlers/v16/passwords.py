"""The password of a charge point in OCPP 1.6: the configuration key AuthorizationKey (security whitepaper A01, §7.2)."""

from __future__ import annotations

from ocpp.v16.enums import Action

from csms.handlers.command_set import PasswordChange, Payload

_KEY = "AuthorizationKey"


def _request(password: str) -> Payload:
    return {"key": _KEY, "value": password}


def _given(payload: Payload) -> str | None:
    key, value = payload.get("key"), payload.get("value")
    is_password = isinstance(key, str) and key.casefold() == _KEY.casefold()
    return value if is_password and isinstance(value, str) else None


def _answer(response: Payload) -> str:
    return str(response.get("status", ""))


PASSWORD_CHANGE = PasswordChange(Action.change_configuration.value, _request, _given, _answer)
