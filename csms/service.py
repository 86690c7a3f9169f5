"""The daemon as a Twisted service: an ordered start, an ordered stop, and an exit status that tells the truth.

Start: certificates, the ledger, what an unclean end left behind, the broker, the ports, READY.
Stop: STOPPING, the ports, what is in flight, the sockets (1001), the raw log, what the broker takes, the ledger. A fatal error does the
same and ends with status 1.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from csms.api.event_feed import EventFeed
from csms.authority.contracts import ContractCertificates, RootsError
from csms.authority.external import ExternalAuthority
from csms.authority.ocsp import OcspResponders
from csms.authority.signing import AuthorityError, CertificateAuthority
from csms.authority.webhook import Webhook
from csms.chargepoint.registry import Registry
from csms.loops import Loops
from csms.mqtt.thread import MqttThread
from csms.store import retention
from csms.store.errors import StoreBroken, StoreError
from csms.store.message_log import FLUSH_S as LOG_FLUSH_S
from csms.store.message_log import MessageLog
from csms.store.store import Store
from csms.systemd import Notifier
from csms.websocket.factory import ChargePointFactory
from csms.websocket.limits import HandshakeGate
from csms.websocket.tls import CertificateError, ChargePointTls

_log = Logger()
FLUSH_S = 10.0
_ANSWER_S = 3.0
_CLOSE_S = 2.0
_RECORD_S = 5.0
_POLL_S = 0.02
_RECOVER_EVERY_S = 30.0
_PRUNE_EVERY_S = 3600.0
_GC_THRESHOLDS = (20_000, 20, 50)


@frozen
class Listener:
    """A port to listen on; ``setting`` names it in an error."""

    setting: str
    endpoint: IStreamServerEndpoint
    factory: IProtocolFactory
    gate: HandshakeGate | None = None


@define(eq=False)
class Daemon(Service):
    """Everything that runs. The parts are made by `csms.composition`, and opened here."""

    _reactor: Any
    _store: Store
    _message_log: MessageLog
    _registry: Registry
    _sockets: ChargePointFactory
    _listeners: Sequence[Listener]
    _event_feed: EventFeed
    _mqtt: MqttThread | None
    _tls: ChargePointTls | None
    _notifier: Notifier
    _retention: retention.Retention
    _now: Callable[[], datetime]
    _observer: ILogObserver | None
    _jobs: Sequence[tuple[float, Callable[[], Any]]] = ()
    _authority: Webhook | None = None
    _contracts: ContractCertificates | None = None
    _responders: OcspResponders | None = None
    _signer: CertificateAuthority | ExternalAuthority | None = None
    _threads: Sequence[Callable[[], None]] = ()
    """What ends further threads."""
    _ports: list[IListeningPort] = field(factory=list)
    _loops: Loops = field(default=Factory(lambda self: Loops(self._reactor), takes_self=True))
    _starting: Deferred[None] | None = None
    _store_is_open: bool = False
    _mqtt_is_started: bool = False
    _failed: bool = False

    @property
    def is_listening(self) -> bool:
        """Whether all ports are open."""
        return len(self._ports) == len(self._listeners)

    def setServiceParent(self, parent: Any) -> None:
        """Give the application our log observer; the command line's own --logger goes before it."""
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    # Start.

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._handle_signals)
        self._starting = Deferred.fromCoroutine(self._start()).addErrback(self._start_failed)

    async def _start(self) -> None:
        if self._tls is not None:
            self._tls.load()
        if self._contracts is not None:
            await self._contracts.load()
        if self._responders is not None:
            await self._responders.load()
        if self._signer is not None:
            await self._signer.load()
        self._store.on_broken = self._broken
        await self._store.open()
        self._store_is_open = True
        recovered = await self._registry.recover("the daemon ended uncleanly")
        if recovered:
            _log.warn("{count} charge points were held by a daemon that ended uncleanly", count=recovered)
        if self._mqtt is not None:
            self._mqtt.start()
            self._mqtt_is_started = True
        for listener in self._listeners:
            try:
                port = await listener.endpoint.listen(listener.factory)
            except (CannotListenError, OSError, ValueError) as error:
                reason = getattr(error, "socketError", error)
                raise StartError(f"{listener.setting} cannot be listened on: {reason}") from None
            self._ports.append(port)
            if listener.gate is not None:
                listener.gate.guard(port)
            _log.info("{setting}: listening on {address}", setting=listener.setting, address=str(port.getHost()))
        self._sockets.start_sweep()
        self._loops.every(_RECOVER_EVERY_S, self._recover)
        self._loops.every(_PRUNE_EVERY_S, self._prune)
        self._loops.every(LOG_FLUSH_S, self._message_log.flush)
        for seconds, job in self._jobs:
            self._loops.every(seconds, job)
        if self._notifier.watchdog_s is not None:
            self._loops.every(self._notifier.watchdog_s / 2, self._feed_watchdog)
        # What stands now stands for ever; and messages make few cycles, so that looking for them can be rarer.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._notifier.say("READY=1")
        _log.info("csms is ready")

    def _start_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, StartError | StoreError | CertificateError | RootsError | AuthorityError):
            self.fail(str(failure.value))
            return
        _log.failure("the start failed", failure)
        self.fail(f"the start failed: {failure.getErrorMessage()}")

    def fail(self, message: str) -> None:
        """End with status 1, after one line on standard error."""
        if not self._failed:
            self._failed = True
            stream = sys.__stderr__ or sys.stderr
            stream.write(f"csms: {' '.join(message.split())}\n")
            stream.flush()
            # twistd would end with 0 after a stop; this runs when it has cleaned up behind itself.
            atexit.register(_exit_with_failure)
        if self._reactor.running:
            self._reactor.stop()
        else:
            self._reactor.callWhenRunning(self._reactor.stop)

    def _broken(self, error: StoreBroken) -> None:
        self.fail(f"the database failed in a way that must not be retried: {error}")

    # While it runs.

    def _handle_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._stop_once))
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))

    def _stop_once(self) -> None:
        if self._reactor.running:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            self._reactor.stop()

    def reload(self) -> None:
        """Read the certificates again: new connections get them, running ones stay (SIGHUP)."""
        for part in (self._contracts, self._responders, self._signer):
            if part is not None:
                Deferred.fromCoroutine(part.load()).addErrback(_old_stays)
        if self._tls is None:
            return
        self._notifier.say("RELOADING=1")
        try:
            self._tls.load()
            _log.info("certificates reloaded")
        except CertificateError as error:
            _log.error("the old certificates stay: {error}", error=str(error))
        self._notifier.say("READY=1")

    def _recover(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._look_after_the_ledger())

    async def _look_after_the_ledger(self) -> None:
        if not await self._store.confirm_ownership():
            self.fail("another daemon has taken this gateway.id")
            return
        await self._registry.recover("the disconnection was not recorded in time")

    def _feed_watchdog(self) -> None:
        self._notifier.say("WATCHDOG=1")

    def _prune(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._prune_all())

    async def _prune_all(self) -> None:
        await retention.prune_all(self._store, self._retention, self._now())
        await self._message_log.prune()

    # Stop.

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop()).addErrback(lambda failure: _log.failure("the stop failed", failure))

    async def _stop(self) -> None:
        self._notifier.say("STOPPING=1")
        if self._starting is not None:
            await self._starting
        try:
            await self._say_goodbye()
        finally:
            # Whatever went wrong before: threads that go on would keep the process alive.
            await self._end_threads()
        _log.info("csms has stopped")

    async def _say_goodbye(self) -> None:
        self._loops.stop()
        self._sockets.stop_sweep()
        await DeferredList([_as_deferred(port.stopListening()) for port in self._ports])
        self._event_feed.close()
        self._sockets.hold_all()
        if self._authority is not None:
            self._authority.close()
        await self._until(lambda: all(session.idle for session in self._registry), _ANSWER_S)
        self._sockets.close_all()
        await self._until(lambda: not self._sockets.open_sockets, _CLOSE_S)
        # With a database that hangs this would take for ever; the next start tells what could not be told now.
        gone = self._registry.discard_all("the daemon went away").addTimeout(_RECORD_S, self._reactor)
        gone.addErrback(lambda _: _log.warn("not every disconnection could be recorded"))
        await gone
        self._sockets.refusals.flush()
        written = self._message_log.flush().addTimeout(_RECORD_S, self._reactor)
        await written.addErrback(lambda _: _log.warn("not every message could be written to the raw log"))

    async def _end_threads(self) -> None:
        for stop in self._threads:
            await deferToThread(stop)
        if self._mqtt is not None and self._mqtt_is_started:
            self._mqtt.request_stop(FLUSH_S)
            await deferToThread(self._mqtt.join)
        if self._store_is_open:
            self._store.seal()
            await deferToThread(self._store.close)
        else:
            self._store.close()

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = self._reactor.seconds() + seconds
        while not condition() and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, _POLL_S, lambda: None)


def _old_stays(failure: Failure) -> None:
    _log.error("what was read before stays in use: {error}", error=failure.getErrorMessage())


class StartError(Exception):
    """The daemon cannot start; the message is one line that names the setting."""


def _as_deferred(result: Any) -> Deferred[Any]:
    if isinstance(result, Deferred):
        return result
    done: Deferred[Any] = Deferred()
    done.callback(result)
    return done


def _exit_with_failure() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(1)
