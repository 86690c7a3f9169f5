"""What a session takes that has no answer: a SEND, and the word that an answer of ours was of no use (OCPP-J 2.1 §4.2)."""

from __future__ import annotations

from ocpp.exceptions import OCPPError
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.presence import Presence, SessionLeft
from csms.events.protocol import ProtocolEvent
from csms.handlers.request import Request
from csms.ledger import chargepoints
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState
from csms.ocppj.connection import ResultRefused
from csms.ocppj.frames import Call, Send
from csms.ocppj.schemas import BadPayload
from csms.ocppj.versions import Version
from csms.store.errors import StoreUnavailable

_MOST_SENDS = 256
"""How many SENDs may wait for a decision in flight: nothing slows down a charge point that expects no answer."""
_log = Logger()


class Unanswered(Presence):
    """See the module. Each is decided about when its turn comes, as what others ask for is."""

    __slots__ = ()

    @property
    def version(self) -> Version:
        """The version that the socket speaks."""
        raise NotImplementedError

    @property
    def _dispatcher(self) -> Dispatcher:
        return self._shared.dispatchers[self.version]

    def _take(self, send: Send) -> None:
        """Take a SEND when its turn comes; whatever becomes of it, there is no answer (OCPP-J 2.1 §4.2.4)."""
        if self.decisions_waiting >= _MOST_SENDS:
            self._shared.counters.count("sends_dropped")
            return

        def rule(state: ChargePointState, context: Context) -> Decision[None]:
            request = Request(state, context, send.payload, [])
            try:
                decision = self._dispatcher.take(send, request, self._mode)
            except (BadPayload, OCPPError) as error:
                self._shared.counters.count("sends_dropped")
                request.deviations.append(error.description)
                _log.info(
                    "{client_id}: a SEND of {action} is passed over: {reason}",
                    client_id=self.client_id,
                    action=send.action[:50],
                    reason=error.description[:200],
                )
                decision = None
            self._publish_in(send, request)
            return decision if decision is not None else Decision(None, state)

        self.decide(rule, send.message_id).addErrback(self._not_done, send.action)

    def _result_refused(self, event: ResultRefused) -> None:
        """Keep that the charge point could do nothing with an answer of ours; nothing else follows (OCPP-J 2.1 §4.2.3)."""
        frame = event.frame
        self._shared.counters.count("results_refused")
        _log.warn(
            "{client_id}: the answer to {action} was refused: {code}: {description}",
            client_id=self.client_id,
            action=event.action[:50],
            code=frame.code[:50],
            description=frame.description[:255],
        )
        self._publish("in", event.action, frame.message_id, frame.raw, ())
        body = {
            "action": event.action,
            "errorCode": frame.code,
            "errorDescription": frame.description,
            "errorDetails": frame.details,
        }
        self.decide(
            lambda state, context: chargepoints.keep(state, context, kind="CallResultError", body=body),
            frame.message_id,
        ).addErrback(self._not_done, "CallResultError")

    def _not_done(self, failure: Failure, action: str) -> None:
        """A decision that nobody waits for has failed. Where the store is away the socket is closed already."""
        if failure.check(StoreUnavailable, SessionLeft) is None:
            _log.failure("{client_id}: {action} was lost", failure, client_id=self.client_id, action=action[:50])

    # The protocol stream.

    def _publish_in(self, call: Call | Send, request: Request) -> None:
        publish, deviations = self._shared.publish_protocol_event, request.deviations
        if deviations:
            self._shared.counters.count("deviations")
        if publish is not None:
            at = request.context.now
            noted = tuple(deviations) if deviations else ()
            publish(ProtocolEvent(at, self.client_id, "in", call.action, call.message_id, call.raw, noted))

    def _publish(self, direction: str, action: str, message_id: str, frame: bytes, deviations: tuple[str, ...]) -> None:
        publish = self._shared.publish_protocol_event
        if publish is not None:
            publish(ProtocolEvent(self._shared.now(), self.client_id, direction, action, message_id, frame, deviations))
