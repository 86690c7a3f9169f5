"""The state machines behind the load generator's connections: what a charger says next (standard library only).

Both have the same face: `next_frame()` gives the bytes of the next CALL and sets `kind` and `message_id`; `answered(text)`
takes the CALLRESULT. The engine (loadgen.py) has one CALL outstanding for each.
"""

import random
import re
import time

import mixes
from mixes import BOOT, HB, MV6, MV60, START, STATUS, STOP

_TRANSACTION_ID = re.compile(rb'"transactionId":\s*(\d+)')

# One session is 20 messages: 5 Heartbeat, 4 StatusNotification, 8 MeterValues of 6 samples, 1 of 60, Start, Stop: the
# proportions of `std`. Each status differs from the one before.
CYCLE: tuple[tuple[int, str], ...] = (
    (STATUS, "Preparing"),
    (START, ""),
    (STATUS, "Charging"),
    (HB, ""),
    (MV6, ""),
    (MV6, ""),
    (HB, ""),
    (MV6, ""),
    (MV6, ""),
    (STATUS, "SuspendedEV"),
    (HB, ""),
    (MV6, ""),
    (MV6, ""),
    (HB, ""),
    (MV60, ""),
    (MV6, ""),
    (MV6, ""),
    (HB, ""),
    (STOP, ""),
    (STATUS, "Available"),
)
_STEPS = len(CYCLE)
_START_AT = CYCLE.index((START, ""))
_STOP_AT = CYCLE.index((STOP, ""))
_STEP_S = 1  # the charger's clock between two messages and two reading times
_STEP_WH = 6  # what the register grows by in that time, 22 kW
_BEGIN_S = 7200  # the chargers' clocks start this long ago, so that they never run ahead of the server's

_VARIANTS = 4
_ID, _TX, _TIME, _WH = "@ID@", 987654321, "@TIME@", "@WH@"


def _template(kind: int, rnd: random.Random, status: str = "", register: int = 987654320) -> bytes:
    """Return a CALL as a `%` template: id first, then the places in the order of the text."""
    action, payload = mixes.request(kind, _TIME, rnd)
    if kind == STATUS:
        payload["status"] = status
    elif kind in {MV6, MV60}:
        payload["transactionId"] = _TX
        payload["meterValue"] = [mixes.reading(_TIME, _WH, rnd) for _ in payload["meterValue"]]
    elif kind == START:
        payload |= {"idTag": "@TAG@", "meterStart": register}
    elif kind == STOP:
        payload |= {"transactionId": _TX, "idTag": "@TAG@", "meterStop": register}
    text = mixes.call(_ID, action, payload)
    assert b"%" not in text
    places = ((_ID, b"%b"), (_TX, b"%b"), (_TIME, b"%b"), (_WH, b"%d"), (register, b"%d"), ("@TAG@", b"%b"))
    for mark, place in places:
        text = text.replace(str(mark).encode(), place)
    return text


def _templates(seed: int = 1) -> dict[tuple[int, str], tuple[bytes, ...]]:
    rnd = random.Random(seed)
    return {step: tuple(_template(step[0], rnd, step[1]) for _ in range(_VARIANTS)) for step in set(CYCLE)}


class Clock:
    """Texts of the seconds that the chargers' clocks show, each made once for all of them."""

    def __init__(self) -> None:
        self.begin_s = int(time.time()) - _BEGIN_S
        self._texts: dict[int, bytes] = {}

    def text(self, second: int) -> bytes:
        known = self._texts.get(second)
        if known is None:
            known = self._texts[second] = time.strftime("%Y-%m-%dT%H:%M:%S.250Z", time.gmtime(second)).encode()
        return known


class PoolCharger:
    """Takes its messages from a shared pool, each charger from another place on."""

    def __init__(self, number: int, pool: list[tuple[int, bytes, bytes]]) -> None:
        self.kind = HB
        self.message_id = b""
        self._pool = pool
        self._at = number * 37 % len(pool)

    def prelude(self) -> bytes | None:
        """Return nothing: the pool needs no preparation."""
        return None

    def next_frame(self) -> bytes:
        self.kind, self.message_id, frame = self._pool[self._at]
        self._at = (self._at + 1) % len(self._pool)
        return frame

    def answered(self, _text: bytes) -> bool:
        return True


class SessionCharger:
    """Goes through CYCLE for ever, each charger from another place on, so that the mix is even at every moment."""

    def __init__(self, number: int, templates: dict[tuple[int, str], tuple[bytes, ...]], clock: Clock) -> None:
        self.kind = HB
        self.message_id = b""
        self._number = number
        self._at = number * 7 % _STEPS
        self._templates = templates
        self._clock = clock
        self._second = clock.begin_s + number % 60
        self._register_wh = 1_000_000 + number * 1000
        self._tag = b"04A1B2C3%06X" % number
        self._transaction_id = b""
        self._sent = 0

    def prelude(self) -> bytes | None:
        """Return the StartTransaction of a charger that begins in the middle of a session."""
        if not _START_AT < self._at <= _STOP_AT:
            return None
        at, self._at = self._at, _START_AT
        frame = self.next_frame()
        self._at = at
        return frame

    def next_frame(self) -> bytes:
        step = CYCLE[self._at]
        self._at = (self._at + 1) % _STEPS
        self.kind = kind = step[0]
        self._sent += 1
        self.message_id = message_id = b"%08x-0000-4000-8000-%012x" % (self._number, self._sent)
        self._second += _STEP_S
        template = self._templates[step][self._sent % _VARIANTS]
        return mixes.frame(template % (message_id, *self._values(kind)))

    def _values(self, kind: int) -> tuple:
        """Return what goes into the places of a template after the message id."""
        text = self._clock.text
        if kind == HB:
            return ()
        if kind == STATUS:
            return (text(self._second),)
        if kind == MV6:
            self._register_wh += _STEP_WH
            return self._transaction_id, text(self._second), self._register_wh
        if kind == MV60:
            second, wh = self._second, self._register_wh
            values: list = [self._transaction_id]
            for k in range(10):
                values += (text(second + k * _STEP_S), wh + (k + 1) * _STEP_WH)
            self._second = second + 9 * _STEP_S
            self._register_wh = wh + 10 * _STEP_WH
            return tuple(values)
        if kind == START:
            return self._tag, self._register_wh, text(self._second)
        self._register_wh += _STEP_WH
        return self._transaction_id, self._tag, self._register_wh, text(self._second)

    def answered(self, text: bytes) -> bool:
        """Take the answered transactionId; False where a StartTransaction was answered without one."""
        if self.kind != START:
            return True
        found = _TRANSACTION_ID.search(text)
        if found is None:
            return False
        self._transaction_id = found.group(1)
        return True


def chargers(mix: str, count: int) -> list[PoolCharger | SessionCharger]:
    """Return the state machines of `count` chargers."""
    if mix == "session":
        templates, clock = _templates(), Clock()
        return [SessionCharger(k, templates, clock) for k in range(count)]
    pool = mixes.pool(mix)
    return [PoolCharger(k, pool) for k in range(count)]


def boot_frame(number: int) -> tuple[bytes, bytes]:
    """Return (message id, frame) of a BootNotification."""
    message_id = f"{number:08x}-b007-4000-8000-{0:012x}"
    return message_id.encode(), mixes.frame(mixes.call(message_id, *mixes.request(BOOT)))
