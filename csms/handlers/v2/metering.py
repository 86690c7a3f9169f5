"""Meter values outside of transactions (OCPP 2.x, functional block J)."""

from __future__ import annotations

from ocpp.exceptions import PropertyConstraintViolationError
from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action
from twisted.internet.defer import Deferred

from csms.handlers.request import Reads, Reply, Request, takes_payload, then
from csms.handlers.v2.meter_values import meter_values
from csms.ledger import evses, readings
from csms.ledger.evses import NoSuchConnector
from csms.ledger.readings import NOTHING_KNOWN, Known
from csms.store import queries


class Metering:
    """MeterValues."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @on(Action.meter_values)
    @takes_payload
    def on_meter_values(self, request: Request) -> Reply | Deferred[Reply]:
        """Answer MeterValues (J01); EVSE 0 is the station's main meter."""
        payload, state = request.payload, request.state
        evse_id, values = int(payload["evseId"]), meter_values(request, payload["meterValue"])

        def answer(known: Known) -> Reply:
            try:
                decision = readings.evse_values(state, request.context, evse_id=evse_id, readings=values, known=known)
            except NoSuchConnector as error:
                raise PropertyConstraintViolationError(str(error)) from None
            return Reply(call_result.MeterValues(), decision)

        connector_id = evses.find(state, evse_id)
        if connector_id is None or not readings.may_be_known(state, connector_id, values):
            return answer(NOTHING_KNOWN)
        times = [value.instant.at for value in values]
        return then(self._reads.read(queries.known_readings, state.charge_point.client_id, times), answer)
