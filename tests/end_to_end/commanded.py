"""A charge point that takes commands on a thread of its own, and does with them what the test says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from websockets.exceptions import ConnectionClosed

from tests.end_to_end.charger import Charger

Reaction = Callable[["Commanded", list], None]


class Commanded:
    """Comes, boots, and has its ``reaction`` for each CALL; ``calls`` are those that it got, as they were on the wire."""

    def __init__(self, url: str, client_id: str, version: str = "1.6") -> None:
        self._url = url
        self._version = version
        self.client_id = client_id
        self.reaction: Reaction = says({})
        self.calls: list[str] = []
        self.is_back = threading.Event()
        self._threads: list[threading.Thread] = []
        self.come()

    def come(self) -> None:
        """Open a socket and boot, whatever became of the one before."""
        self._charger = Charger(self._url, self.client_id, version=self._version)
        thread = threading.Thread(target=self._listen, args=(self._charger,), daemon=True)
        self._threads.append(thread)
        thread.start()
        self.is_back.set()

    def _listen(self, charger: Charger) -> None:
        with suppress(ConnectionClosed):
            for text in charger.socket:
                self.calls.append(text)
                self.reaction(self, json.loads(text))

    def send(self, *frame: object) -> None:
        self._charger.socket.send(json.dumps(frame))

    def lose_socket(self) -> None:
        """Cut the connection without a word."""
        with suppress(OSError):
            self._charger.socket.socket.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Leave a socket behind that stands, and says nothing any more: not even a pong."""
        left = self._charger.socket
        left.send_data = lambda: list(left.protocol.data_to_send())

    def close(self) -> None:
        self._charger.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def says(payload: dict) -> Reaction:
    """A CALLRESULT."""
    return lambda station, call: station.send(3, call[1], payload)


def refuses(code: str, description: str) -> Reaction:
    """A CALLERROR."""
    return lambda station, call: station.send(4, call[1], code, description, {})


def keeps_silent(_station: Commanded, _call: list) -> None:
    """Nothing."""


def loses_its_socket(station: Commanded, _call: list) -> None:
    """The end of the connection, in the middle of the CALL."""
    station.is_back.clear()
    station.lose_socket()


def starts_again(station: Commanded, _call: list) -> None:
    """What a Hard reset does: no answer, and a new socket at once."""
    loses_its_socket(station, _call)
    station.come()


def starts_again_unnoticed(station: Commanded, _call: list) -> None:
    """The same without a sign on the old socket, as where the power was cut."""
    station.is_back.clear()
    station.fall_silent()
    station.come()
