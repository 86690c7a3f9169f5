"""The thread that keeps a connection to the broker, and has its feeds publish.

One thread of a pool owns paho for good: it connects, publishes what its feeds have, and takes acknowledgements. The reactor
never calls paho. Each connection is a new, clean session with a client of its own; what was in flight on an old one is the
feeds' business.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from csms.mqtt.buffered import wait_for
from csms.mqtt.client import CONNECT_TIMEOUT_S
from csms.mqtt.feed import (
    IDLE_S,
    Acknowledgements,
    Broker,
    Feed,
    HoldDelivery,
    Receiver,
    Retained,
    Unpublishable,
)
from csms.mqtt.link import PahoLink, new_link

_log = Logger()
_FIRST_BACKOFF_S = 1.0
_LAST_BACKOFF_S = 60.0
_UNSUPPORTED_VERSION = 0x84
_BREATH_S = 0.01
"""The least time between two rounds of publishing: under load the thread works in bursts, not against the reactor's."""


class MqttThread:
    """Keeps a connection to the broker and lets feeds publish over it, on a thread of its own.

    ``receiver`` is given what is subscribed to, if anything is. ``random`` returns a number from 0 to 1; ``birth`` is asked for
    at each connection, ``will`` is said by the broker when the connection dies, and by the client itself when it leaves.
    """

    def __init__(
        self,
        broker: Broker,
        feeds: Sequence[Feed],
        *,
        birth: Callable[[], Retained],
        will: Retained,
        random: Callable[[], float],
        receiver: Receiver | None = None,
    ) -> None:
        self._broker = broker
        self._feeds = feeds
        self._birth = birth
        self._will = will
        self._random = random
        self._receiver = receiver
        self._pool = ThreadPool(1, 1, "mqtt")
        self._awake = True  # until it is started nobody need be woken
        self._stop_at: float | None = None
        self._v5 = broker.protocol != "3.1.1"
        self._spoke_v5 = False
        self._trouble: str | None = None
        self.connected = False

    def start(self) -> None:
        """Start the thread; the broker need not be there."""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._awake = False
        self._pool.start()
        self._pool.callInThread(self._run)

    def request_stop(self, flush_s: float) -> None:
        """Ask the thread to deliver what the broker takes within a time, to say goodbye, and to end."""
        self._stop_at = time.monotonic() + flush_s
        self.wake()

    def join(self) -> None:
        """Wait until the thread has ended; blocks."""
        self._pool.stop()
        self._wake_reader.close()
        self._wake_writer.close()

    def wake(self) -> None:
        """Tell the thread that a feed has something; may be called from any thread."""
        if not self._awake:
            self._awake = True
            with suppress(OSError):
                self._wake_writer.send(b"\0")

    # What follows runs on the client's thread.

    def _run(self) -> None:
        failures = 0
        while self._stop_at is None:
            try:
                served = self._serve_one_connection()
            except Exception:  # noqa: BLE001 - the thread must outlive whatever happened
                _log.failure("the MQTT connection failed")
                served = False
            failures = 0 if served else failures + 1
            if self._stop_at is None and not (failures == 1 and self._fall_back):
                self._sleep(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        longest: float = min(_LAST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(failures, 10))
        return _FIRST_BACKOFF_S + (longest - _FIRST_BACKOFF_S) * self._random()

    @property
    def _fall_back(self) -> bool:
        return self._broker.protocol == "auto" and not self._v5

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._stop_at is None and (left := until - time.monotonic()) > 0:
            wait_for([self._wake_reader], (), left)
            self._drain_wake()

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        # Only now: a wake between the two would otherwise be lost.
        self._awake = False

    def _serve_one_connection(self) -> bool:
        link = self._connect()
        if link is None:
            return False
        try:
            self.connected = True
            self._trouble = None
            _log.info(
                "connected to the MQTT broker {host}:{port} with MQTT {version}",
                host=self._broker.host,
                port=self._broker.port,
                version="5" if link.is_v5 else "3.1.1",
            )
            birth = self._birth()
            link.publish(birth.topic, birth.payload, qos=1, retain=True)
            for feed in self._feeds:
                feed.begin(link)
            self._serve(link)
            self._leave(link)
        except HoldDelivery as hold:
            self._say("the MQTT broker refuses events for now: {reason}", str(hold))
            return False
        finally:
            self.connected = False
            for feed in self._feeds:
                feed.end()
            link.close()
        if link.gone and self._stop_at is None:
            self._say("lost the MQTT broker: {reason}", link.gone)
        return True

    def _say(self, text: str, reason: str) -> None:
        """Log trouble when it changes, not at each attempt."""
        if self._trouble != reason:
            self._trouble = reason
            _log.warn(text, reason=reason)

    def _connect(self) -> PahoLink | None:
        broker = self._broker
        link = new_link(broker, self._will, is_v5=self._v5, acknowledged=self._acknowledged, receiver=self._receiver)
        try:
            link.connect(broker.host, broker.port)
            deadline = time.monotonic() + CONNECT_TIMEOUT_S
            while not link.connected and link.gone is None and link.refused is None:
                if time.monotonic() > min(deadline, self._stop_at or deadline):
                    link.gone = "no answer to CONNECT"
                self._turn(link, 0.2)
        except (OSError, ValueError) as error:
            link.close()
            self._say("cannot reach the MQTT broker: {reason}", f"{broker.host}:{broker.port}: {error}")
            return None
        if link.connected and link.gone is None:
            self._spoke_v5 = self._spoke_v5 or link.is_v5
            return link
        link.close()
        # A broker of 3.1.1 may answer a CONNECT of 5 with a code, or just hang up; so does any broker that is about to stop.
        if broker.protocol == "auto":
            hung_up = link.refused is None and not (link.connected or self._spoke_v5)
            said_no = hung_up or link.refused in (_UNSUPPORTED_VERSION, 1)
            self._v5 = not self._v5 if said_no else self._v5
        code = f"refused with code {link.refused}" if link.refused is not None else link.gone
        self._say("cannot connect to the MQTT broker: {reason}", f"{broker.host}:{broker.port}: {code}")
        return None

    def _acknowledged(self, acknowledgements: Acknowledgements) -> None:
        for feed in self._feeds:
            acknowledgements = feed.acknowledged(acknowledgements)

    def _serve(self, link: PahoLink) -> None:
        while link.gone is None:
            began = time.monotonic()
            pause_s = min((feed.pump(link) for feed in self._feeds), default=IDLE_S)
            if self._stop_at is not None and (
                time.monotonic() > self._stop_at or all(feed.drained for feed in self._feeds)
            ):
                return
            self._turn(link, pause_s)
            rest_s = _BREATH_S - (time.monotonic() - began)
            if rest_s > 0 and self._stop_at is None:
                select.select([], [], [], rest_s)

    def _turn(self, link: PahoLink, timeout_s: float) -> None:
        if link.turn(self._wake_reader, timeout_s):
            self._drain_wake()

    def _leave(self, link: PahoLink) -> None:
        """Say goodbye, as the will would."""
        if link.gone is not None:
            return
        with suppress(Unpublishable):
            link.publish(self._will.topic, self._will.payload, qos=1, retain=True)
        deadline = time.monotonic() + 1
        link.flush()
        while link.gone is None and not link.writable and time.monotonic() < deadline:
            self._turn(link, 0.1)
        link.disconnect()
        while link.gone is None and time.monotonic() < deadline:
            self._turn(link, 0.1)
