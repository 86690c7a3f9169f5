"""Tariffs (OCPP 2.1, functional block I): default tariffs are kept for each EVSE; the simulated station does not charge by them."""

from __future__ import annotations

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.station import Station
from csms.simulator.v2.messages import Payload


class Tariffs:
    """The default tariffs of a station, by EVSE, and those of transactions, by their ids."""

    def __init__(self, station: Station, controls: Controls) -> None:
        self._station = station
        self._controls = controls
        self._defaults: dict[int, Payload] = {}
        self._currencies: dict[str, str] = {}
        self.handlers: dict[str, Handler] = {
            "ChangeTransactionTariff": self._change,
            "ClearTariffs": self._clear,
            "GetTariffs": self._get,
            "SetDefaultTariff": self._set_default,
        }

    def _evses(self, evse_id: int) -> list[int]:
        return [evse_id] if evse_id else list(range(1, self._station.connectors + 1))

    def _set_default(self, payload: Payload) -> Outcome:
        evse_id, tariff = payload["evseId"], payload["tariff"]
        if evse_id and not self._station.has(evse_id):
            return {"status": "Rejected"}, None
        for own_id in self._evses(evse_id):
            self._defaults[own_id] = tariff
        return {"status": "Accepted"}, None

    def _get(self, payload: Payload) -> Outcome:
        evse_id = payload["evseId"]
        if evse_id and not self._station.has(evse_id):
            return {"status": "Rejected"}, None
        evses: dict[str, list[int]] = {}
        for own_id in self._evses(evse_id):
            if own_id in self._defaults:
                evses.setdefault(self._defaults[own_id]["tariffId"], []).append(own_id)
        assignments = [
            {"tariffId": tariff_id, "tariffKind": "DefaultTariff", "evseIds": evse_ids}
            for tariff_id, evse_ids in evses.items()
        ]
        return (
            {"status": "Accepted", "tariffAssignments": assignments} if assignments else {"status": "NoTariff"}
        ), None

    def _clear(self, payload: Payload) -> Outcome:
        installed = {
            own_id: self._defaults[own_id]["tariffId"]
            for own_id in self._evses(payload.get("evseId", 0))
            if own_id in self._defaults
        }
        wanted = payload.get("tariffIds", sorted(set(installed.values())))
        for own_id, tariff_id in installed.items():
            if tariff_id in wanted:
                del self._defaults[own_id]
        results = [
            {"tariffId": tariff_id, "status": "Accepted" if tariff_id in installed.values() else "NoTariff"}
            for tariff_id in wanted
        ]
        return {"clearTariffsResult": results or [{"status": "NoTariff"}]}, None

    def _change(self, payload: Payload) -> Outcome:
        transaction_id, currency = payload["transactionId"], payload["tariff"]["currency"]
        if not self._controls.is_running(transaction_id):
            return {"status": "TxNotFound"}, None
        # I11.FR.03: the currency stays.
        if self._currencies.setdefault(transaction_id, currency) != currency:
            return {"status": "NoCurrencyChange"}, None
        return {"status": "Accepted"}, None
