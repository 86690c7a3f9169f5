"""From a CALL to its answer: validate, find the handler, encode what it gives back.

Handlers are found by the `ocpp` library's routing: ``@on(Action…)`` methods of the handler classes of a version. The map is
built once for each version, not for each connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any

import attrs
from msgspec import Struct
from ocpp import exceptions
from ocpp.exceptions import InternalError, NotSupportedError, OCPPError, SecurityError
from ocpp.routing import create_route_map
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.handlers.request import Refused, Reply, Request
from csms.ledger.decision import Decision
from csms.ocppj import frames
from csms.ocppj.frames import Call, CallError, CallResult, Send
from csms.ocppj.schemas import BadPayload, Mode, Schemas, schemas_of
from csms.ocppj.versions import Version
from csms.store.errors import StoreUnavailable

_log = Logger()
Handler = Callable[..., Reply | Deferred[Reply]]
_BOOT = "BootNotification"
_WAITS_FOR_REGISTRATION = frozenset({"Authorize"})
"""What a Pending charge point of 1.6 may not do yet; StartTransaction is refused by its handler, which keeps what it said."""
_STOP = "StopTransaction"
"""Always taken: its energy has flowed."""


class Outcome(Struct, frozen=True, gc=False):
    """The text of an answer, and the decision that has to be committed before it leaves."""

    text: bytes
    decision: Decision[Any] | None
    error_code: str | None = None


@attrs.define(eq=False)
class Dispatcher:
    """The handlers and schemas of one OCPP version."""

    version: Version
    schemas: Schemas
    _handlers: dict[str, Handler] = attrs.field(factory=dict)
    _senders: dict[str, Handler] = attrs.field(factory=dict)
    """The handlers of what comes as a SEND: there is no answer to it in the schemas (OCPP-J 2.1 §4.2.4)."""
    _takes_payload: set[str] = attrs.field(factory=set)
    """The actions whose handlers read the payload as it is on the wire."""

    @classmethod
    def of(cls, version: Version, handlers: Iterable[object]) -> Dispatcher:
        """Make a dispatcher of the objects whose methods are decorated with ``@on``."""
        dispatcher = cls(version, schemas_of(version))
        for handler in handlers:
            for action, route in create_route_map(handler).items():
                if "_on_action" in route:
                    known = dispatcher._handlers if dispatcher.schemas.has_response(action) else dispatcher._senders
                    known[str(action)] = found = _unwrapped(route["_on_action"], handler)
                    if getattr(found, "takes_payload", False):
                        dispatcher._takes_payload.add(str(action))
        dispatcher.schemas.compile_for([*dispatcher._handlers, *dispatcher._senders])
        return dispatcher

    def handles(self, action: str) -> bool:
        """Tell whether there is a handler for an action."""
        return action in self._handlers

    def dispatch(self, call: Call, request: Request, mode: Mode) -> Outcome | Deferred[Outcome]:
        """Answer a CALL. Whatever goes wrong becomes a CALLERROR, but for a store that is away: that one is raised."""
        try:
            action, schemas = call.action, self.schemas
            handler = self._handlers.get(action) or self._find(action)
            if request.state.registered != "Accepted":
                _admit(self.version, action, request)
            deviations = schemas.check_request(action, call.payload, mode)
            if deviations and mode != "off":
                request.deviations.extend(deviations)
            if action in self._takes_payload:
                reply = handler(request)
            else:
                payload = schemas.with_texts(call.payload) if deviations else call.payload
                reply = handler(request, **schemas.keys.to_snake(payload))
            if type(reply) is Reply:
                return self._encode(reply, call)
            return reply.addCallback(self._encode, call).addErrback(self._failed, call)  # type: ignore[union-attr]
        except Exception:  # noqa: BLE001 - a handler's fault must not end the connection
            return self._failed(Failure(), call)

    def take(self, send: Send, request: Request, mode: Mode) -> Decision[Any] | None:
        """Take a SEND, and return what is decided.

        :raises BadPayload: it does not fit.
        :raises OCPPError: it is nothing that is sent so, or may not come yet.
        """
        handler = self._senders.get(send.action)
        if handler is None:
            raise exceptions.NotImplementedError(f"{send.action[:50]} is not sent in OCPP {self.version.name}")
        _admit(self.version, send.action, request)
        deviations = self.schemas.check_request(send.action, send.payload, mode)
        if mode != "off":
            request.deviations.extend(deviations)
        reply = handler(request, **self.schemas.keys.to_snake(self.schemas.with_texts(send.payload)))
        if isinstance(reply, Deferred):
            raise TypeError(f"the handler of {send.action} has to decide at once")
        return reply.decision

    def result_fault(self, action: str, result: CallResult) -> BadPayload | None:
        """Return how the result of a CALL of ours breaks its schema, taken strictly."""
        try:
            self.schemas.check_response(action, result.payload, "strict")
        except BadPayload as error:
            return error
        return None

    def response_deviations(self, action: str, frame: CallResult | CallError, mode: Mode) -> tuple[str, ...]:
        """Return how the answer to a CALL of ours deviates from its schema; it is taken as it is."""
        if mode == "off" or type(frame) is not CallResult:
            return ()
        try:
            return self.schemas.check_response(action, frame.payload, "tolerant")
        except BadPayload as error:
            return (error.description,)

    def _find(self, action: str) -> Handler:
        if action in self._senders:
            raise NotSupportedError(f"{action[:50]} comes as a SEND (message type {frames.SEND})")
        if action in self.schemas.actions:
            raise NotSupportedError(f"{action[:50]} is not supported from a charge point")
        raise exceptions.NotImplementedError(f"{action[:50]} is no action of OCPP {self.version.name}")

    def _encode(self, reply: Reply, call: Call) -> Outcome:
        payload = self.schemas.keys.to_camel(vars(reply.payload))
        return Outcome(frames.encode_result(call.message_id, payload), reply.decision)

    def _failed(self, failure: Failure, call: Call) -> Outcome:
        error, decision = failure.value, None
        if isinstance(error, StoreUnavailable):
            failure.raiseException()
        if isinstance(error, Refused):
            decision = error.decision
            error = error.error
        if isinstance(error, BadPayload):
            code, description, details = error.code, error.description, {}
        elif isinstance(error, OCPPError):
            code, description, details = error.code, error.description, error.details
        else:
            _log.failure("a handler of {action} failed", failure, action=call.action)
            code, description, details = InternalError.code, "the message could not be processed", {}
        return Outcome(frames.encode_error(call.message_id, code, description, details), decision, code)


def _unwrapped(route: Callable[..., Any], handler: object) -> Handler:
    """Return a routed method without the library's wrapper around it, which only calls it."""
    function = getattr(route, "__wrapped__", None)
    return route if function is None else MethodType(function, handler)


def _admit(version: Version, action: str, request: Request) -> None:
    """Refuse what comes before the registration was accepted (OCPP-J 1.6 errata 3.10, 2.x B02.FR.09, B03.FR.07)."""
    registration = request.registration
    if registration == "Accepted" or action == _BOOT:
        return
    if version.pending_speaks_when_asked:
        is_refused = registration == "Rejected" or action not in request.state.asked_for
    else:
        is_refused = action != _STOP and (registration == "Rejected" or action in _WAITS_FOR_REGISTRATION)
    if is_refused:
        raise SecurityError(f"the registration of this charge point is {registration}")
