"""Two hundred operators command two hundred charge points at once, while meter values stream in."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.end_to_end.daemon import Daemon
from tests.end_to_end.subscriber import Subscriber
from tests.mosquitto import Mosquitto

COUNT = 200
COMMANDS = 5
"""Of each operator, one after the other, each to another charge point."""
READINGS = 15
"""Of each charge point, one after the other; the last when all commands are answered."""
BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
REGISTER = "Energy.Active.Import.Register"


class Station:
    """A charge point that charges, tells its register again and again, and answers commands by its name."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.client_id = f"CP{number:03d}"
        self.commands: dict[str, str] = {}
        self.readings: list[int] = []
        self._answers: dict[str, asyncio.Future] = {}
        self._ids = itertools.count()
        self._socket: ClientConnection
        self._listening: asyncio.Task

    async def begin(self, url: str) -> None:
        self._socket = await connect(url + self.client_id, subprotocols=["ocpp1.6"], compression=None)
        self._listening = asyncio.create_task(self._listen())
        await self._call("BootNotification", {"chargePointVendor": "ACME", "chargePointModel": "One"})
        start = {"connectorId": 1, "idTag": "TAG1", "meterStart": self._register(0), "timestamp": BEGIN.isoformat()}
        self._transaction = (await self._call("StartTransaction", start))["transactionId"]

    async def charge(self, operators: asyncio.Future) -> None:
        for second in range(1, READINGS + 1):
            if second == READINGS:
                await operators
            value = self._register(second)
            sample = {"value": str(value), "measurand": REGISTER, "unit": "Wh"}
            reading = {"timestamp": (BEGIN + timedelta(seconds=second)).isoformat(), "sampledValue": [sample]}
            payload = {"connectorId": 1, "transactionId": self._transaction, "meterValue": [reading]}
            assert await self._call("MeterValues", payload) == {}
            self.readings.append(value)

    async def end(self) -> None:
        await self._socket.close()
        await self._listening

    def _register(self, second: int) -> int:
        return self.number * 1_000_000 + second

    async def _call(self, action: str, payload: dict) -> dict:
        message_id = f"{self.client_id}-{next(self._ids)}"
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps([2, message_id, action, payload]))
        return await answer

    async def _listen(self) -> None:
        async for text in self._socket:
            kind, message_id, *rest = json.loads(text)
            if kind == 2:
                asked = rest[1]["data"]
                self.commands[message_id] = asked
                answer = {"status": "Accepted", "data": f"{self.client_id} heard {asked}"}
                await self._socket.send(json.dumps([3, message_id, answer]))
            else:
                assert kind == 3, text
                self._answers.pop(message_id).set_result(rest[0])


async def operate(port: int, number: int, stations: list[Station]) -> None:
    """Be one operator, on a connection of its own."""
    async with httpx.AsyncClient(verify=False, timeout=30, trust_env=False) as client:
        for turn in range(COMMANDS):
            # In the third turn five operators want the same charge point.
            station = stations[(number * (2 * turn + 1) + turn) % COUNT]
            asked = f"operator {number}, {turn}"
            url = f"http://127.0.0.1:{port}/api/v1/chargepoints/{station.client_id}/commands/DataTransfer"
            answer = await client.post(url, json={"vendorId": "acme", "data": asked})
            body = answer.json()
            assert answer.status_code == 200, body
            assert body["response"] == {"status": "Accepted", "data": f"{station.client_id} heard {asked}"}
            assert station.commands[body["messageId"]] == asked


async def scene(daemon: Daemon) -> list[Station]:
    """Return the charge points when all is over."""
    stations = [Station(number) for number in range(COUNT)]
    await asyncio.gather(*(station.begin(daemon.url) for station in stations))
    operators = asyncio.gather(*(operate(daemon.http_port, number, stations) for number in range(COUNT)))
    await asyncio.gather(*(station.charge(operators) for station in stations))
    await asyncio.gather(*(station.end() for station in stations))
    return stations


def test_two_hundred_operators_while_meter_values_stream_in(with_broker, tmp_path):
    with Mosquitto(tmp_path / "broker", settings="max_queued_messages 0\n") as broker:
        daemon = with_broker(broker)
        daemon.start()
        with Subscriber(broker.port, "csms/transactions/+/meter_reading") as subscriber:
            stations = asyncio.run(scene(daemon))
            subscriber.wait_for(lambda seen: len(seen.messages) >= COUNT * READINGS)
            events = subscriber.of("csms/")
    told: dict[str, list[int]] = {station.client_id: [] for station in stations}
    for event in events:
        told[event["clientId"]].append(round(1000 * event["payload"]["measurands"][REGISTER]["value"]))
    assert told == {station.client_id: station.readings for station in stations}
    assert set(Counter(event["eventId"] for event in events).values()) == {1}
    # Each command reached one charge point, once.
    heard = Counter(asked for station in stations for asked in station.commands.values())
    assert len(heard) == COUNT * COMMANDS
    assert set(heard.values()) == {1}
