"""The Core profile of OCPP 1.6, charge point to central system (§4)."""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import Any

from ocpp.exceptions import SecurityError
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, DataTransferStatus, Reason
from twisted.internet.defer import Deferred

from csms.handlers.request import Policy, Reads, Refused, Reply, Request, takes_payload, then
from csms.handlers.tags import Authority, Tags
from csms.handlers.v16 import values as v16
from csms.handlers.v16.meter_values import meter_values
from csms.handlers.v16.values import id_tag_info, meter_wh
from csms.handlers.wire import instant, wire_time
from csms.ledger import chargepoints, connectors, readings, refused_starts, transactions
from csms.ledger.authorization import TagFacts, TagInfo, Use
from csms.ledger.metering import MeterValue
from csms.ledger.readings import NOTHING_KNOWN, Known
from csms.ledger.state import Transaction
from csms.store import queries


class Core:
    """Authorize, BootNotification, DataTransfer, Heartbeat, MeterValues, Start-, Stop-, StatusNotification."""

    def __init__(self, reads: Reads, policy: Policy, authority: Authority | None = None) -> None:
        self._reads = reads
        self._policy = policy
        self._tags = Tags(reads, policy.unknown_tags, authority)

    @on(Action.authorize)
    def on_authorize(self, request: Request, id_tag: str, **_members: Any) -> Reply | Deferred[Reply]:
        """Answer Authorize (§4.1)."""

        def answer(info: TagInfo) -> Reply:
            return Reply(call_result.Authorize(id_tag_info=id_tag_info(info)))

        running = [transaction.id_tag for transaction in request.state.running.values()]
        judged = self._tags.judge(id_tag, request.state.charge_point.client_id, request.context.now, running)
        return then(judged, answer)

    @on(Action.boot_notification)
    def on_boot_notification(
        self, request: Request, charge_point_vendor: str, charge_point_model: str, **members: Any
    ) -> Reply:
        """Answer BootNotification (§4.2) with the registration that the operator gave."""
        decision = chargepoints.boot(
            request.state,
            request.context,
            # A fleet has few of these, and each charge point would keep its own copy.
            vendor=intern(charge_point_vendor),
            model=intern(charge_point_model),
            serial_number=members.get("charge_point_serial_number") or members.get("charge_box_serial_number"),
            firmware_version=intern(members.get("firmware_version") or "") or None,
        )
        payload = call_result.BootNotification(
            current_time=wire_time(request.context.now),
            interval=self._policy.heartbeat_interval_s,
            status=decision.answer,
        )
        return Reply(payload, decision)

    @on(Action.data_transfer)
    def on_data_transfer(self, request: Request, **_members: Any) -> Reply:
        """Answer DataTransfer (§4.3): no vendor is known here; the message is kept."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.data_transfer, body=request.payload)
        return Reply(call_result.DataTransfer(status=DataTransferStatus.unknown_vendor_id), decision)

    @on(Action.heartbeat)
    def on_heartbeat(self, request: Request, **_members: Any) -> Reply:
        """Answer Heartbeat (§4.6)."""
        return Reply(call_result.Heartbeat(current_time=wire_time(request.context.now)))

    @on(Action.meter_values)
    @takes_payload
    def on_meter_values(self, request: Request) -> Reply | Deferred[Reply]:
        """Answer MeterValues (§4.7)."""
        payload = request.payload
        connector_id = v16.known_connector_id(request.state.latest_reading, payload["connectorId"])
        values = meter_values(request, payload["meterValue"])
        number = v16.transaction_id(payload.get("transactionId"))
        running = request.state.running.get(number) if number is not None else None

        def answer(found: tuple[Transaction | None, Known]) -> Reply:
            decision = readings.meter_values(
                request.state,
                request.context,
                connector_id=connector_id,
                transaction=running or found[0],
                readings=values,
                known=found[1],
            )
            return Reply(call_result.MeterValues(), decision)

        elsewhere = number if running is None else None
        return then(self._context(request, connector_id, elsewhere, values), answer)

    @on(Action.start_transaction)
    def on_start_transaction(
        self, request: Request, connector_id: int, id_tag: str, meter_start: float, timestamp: str, **members: Any
    ) -> Reply | Deferred[Reply]:
        """Answer StartTransaction (§4.8).

        A transaction is stored whatever its tag: where it was started offline, the energy flows. The answer tells the tag's
        true status. While the registration is Pending it has to wait.

        :raises Refused: it is Pending.
        """
        start = transactions.StartRequest(
            connector_id=v16.connector_id(connector_id),
            id_tag=id_tag,
            meter_start_wh=meter_wh(request, meter_start),
            instant=instant(request, timestamp),
            reservation_id=v16.reservation_id(request.state, members.get("reservation_id")),
        )

        if request.registration == "Pending":
            raise Refused(
                SecurityError("the registration of this charge point is Pending: send it again when it is Accepted"),
                refused_starts.refuse(request.state, request.context, start, body=request.payload),
            )
        now, client_id = request.context.now, request.state.charge_point.client_id

        def answer(number: int, facts: TagFacts, earlier: Transaction | None) -> Reply:
            decision = transactions.start(
                request.state,
                request.context,
                start,
                transaction_id=number,
                earlier=earlier,
                tariff=self._policy.tariff,
            )
            use = Use(
                client_id=client_id,
                now=now,
                starts=decision.state.running.get(decision.answer, earlier),
                is_repetition=decision.answer != number,
                beside=tuple(decision.state.running.values()),
            )
            info = id_tag_info(self._tags.verdict(facts, use))
            return Reply(call_result.StartTransaction(transaction_id=decision.answer, id_tag_info=info), decision)

        def number_it(earlier: Transaction | None, facts: TagFacts) -> Reply | Deferred[Reply]:
            return then(self._reads.new_transaction_id(), answer, facts, earlier)

        def with_facts(facts: TagFacts) -> Reply | Deferred[Reply]:
            if transactions.may_be_stored(request.state, start):
                return self._reads.read(queries.earlier_start, client_id, start).addCallback(number_it, facts)
            return number_it(None, facts)

        return then(self._tags.facts(id_tag, client_id, now), with_facts)

    @on(Action.status_notification)
    def on_status_notification(
        self, request: Request, connector_id: int, error_code: str, status: str, **members: Any
    ) -> Reply:
        """Answer StatusNotification (§4.9)."""
        decision = connectors.status(
            request.state,
            request.context,
            connector_id=v16.known_connector_id(request.state.connectors, connector_id),
            status=status,
            error_code=error_code,
            instant=instant(request, members.get("timestamp")),
            info=members.get("info"),
            vendor_id=members.get("vendor_id"),
            vendor_error_code=members.get("vendor_error_code"),
        )
        return Reply(call_result.StatusNotification(), decision)

    @on(Action.stop_transaction)
    def on_stop_transaction(
        self,
        request: Request,
        meter_stop: float,
        timestamp: str,
        transaction_id: float,  # the member's own name
        **members: Any,
    ) -> Reply | Deferred[Reply]:
        """Answer StopTransaction (§4.10): always, or the charge point's queue would stand still for ever."""
        number = v16.transaction_id(transaction_id)
        running = request.state.running.get(number) if number is not None else None
        tag_text = members.get("id_tag")
        values = meter_values(request, request.payload.get("transactionData") or ())
        stop = transactions.StopRequest(
            transaction_id=int(transaction_id),
            meter_stop_wh=meter_wh(request, meter_stop),
            instant=instant(request, timestamp),
            reason=members.get("reason") or Reason.local,
            id_tag=tag_text,
            readings=values,
        )

        now, client_id = request.context.now, request.state.charge_point.client_id

        def answer(facts: TagFacts | None, found: tuple[Transaction | None, Known]) -> Reply:
            elsewhere, known = found
            decision = transactions.stop(
                request.state,
                request.context,
                stop,
                transaction=running or elsewhere,
                known=known,
                tariff=self._policy.tariff,
                body=request.payload,
            )
            info = None
            if facts is not None:
                info = id_tag_info(self._tags.verdict(facts, Use(client_id=client_id, now=now)))
            return Reply(call_result.StopTransaction(id_tag_info=info), decision)

        def with_context(found: tuple[Transaction | None, Known]) -> Reply | Deferred[Reply]:
            if tag_text is None:
                return answer(None, found)
            return then(self._tags.facts(tag_text, client_id, now), answer, found)

        connector_id = running.connector_id if running is not None else None
        elsewhere = number if running is None else None
        return then(self._context(request, connector_id, elsewhere, values), with_context)

    def _context(
        self, request: Request, connector_id: int | None, elsewhere: int | None, values: Sequence[MeterValue]
    ) -> tuple[Transaction | None, Known] | Deferred[tuple[Transaction | None, Known]]:
        """Find out what readings have to know: a transaction that does not run here, and readings that came before."""
        is_new = connector_id is None or not readings.may_be_known(request.state, connector_id, values)
        if elsewhere is None and (is_new or not values):
            return None, NOTHING_KNOWN
        times = [value.instant.at for value in values]
        return self._reads.read(queries.readings_context, request.state.charge_point.client_id, elsewhere, times)
