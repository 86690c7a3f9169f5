"""Display messages (OCPP 2.x, functional block O)."""

from __future__ import annotations

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.v2.messages import Payload


class Display:
    """The messages of a station, by their ids."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._messages: dict[int, Payload] = {}
        self.handlers: dict[str, Handler] = {
            "ClearDisplayMessage": self._clear,
            "GetDisplayMessages": self._get,
            "SetDisplayMessage": self._set,
        }

    def _set(self, payload: Payload) -> Outcome:
        message = payload["message"]
        transaction_id = message.get("transactionId")
        # O02.FR.01
        if transaction_id is not None and not self._controls.is_running(transaction_id):
            return {"status": "UnknownTransaction"}, None
        self._messages[message["id"]] = message
        return {"status": "Accepted"}, None

    def _clear(self, payload: Payload) -> Outcome:
        known = self._messages.pop(payload["id"], None) is not None
        return {"status": "Accepted" if known else "Unknown"}, None

    def _get(self, payload: Payload) -> Outcome:
        ids = payload.get("id")
        chosen = [
            message
            for message in self._messages.values()
            if (ids is None or message["id"] in ids)
            and all(payload[name] == message.get(name) for name in ("priority", "state") if name in payload)
        ]
        if not chosen:
            return {"status": "Unknown"}, None
        return {"status": "Accepted"}, lambda: self._notify(payload["requestId"], chosen)

    def _notify(self, request_id: int, chosen: list[Payload]) -> None:
        """Send NotifyDisplayMessages, a part for each message."""
        for number, message in enumerate(chosen, start=1):
            part = {"requestId": request_id, "tbc": number < len(chosen), "messageInfo": [message]}
            self._controls.send("NotifyDisplayMessages", part)
