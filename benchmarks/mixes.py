"""What the chargers of the load generator say: masked WebSocket frames of OCPP 1.6 CALLs (standard library only).

`std` is a pool of frames made beforehand, right for measuring answers: it repeats one StartTransaction and stops an id that
does not exist. `session` (sessions.py) keeps the same proportions with real sessions.
"""

import json
import os
import random
import struct

_ENERGY = "Energy.Active.Import.Register"
_MEASURANDS = (
    (_ENERGY, "Wh", None, "1234567"),
    ("Power.Active.Import", "W", None, "21987.4"),
    ("Current.Import", "A", "L3", "31.8"),
    ("Voltage", "V", "L1", "229.7"),
    ("SoC", "Percent", None, "57.0"),
    ("Temperature", "Celsius", None, "36.5"),
)
KINDS = ("hb", "status", "mv6", "mv60", "start", "stop", "boot")
HB, STATUS, MV6, MV60, START, STOP, BOOT = range(len(KINDS))

MIXES = {
    "std": {HB: 25, STATUS: 20, MV6: 40, MV60: 5, START: 5, STOP: 5},
    **{name: {kind: 1} for kind, name in enumerate(KINDS)},
}
# Business events that each kind causes by docs/topics.md: one per reading time, `completed` and `session_cost` per stop.
EVENTS = {HB: 0, STATUS: 1, MV6: 1, MV60: 10, START: 1, STOP: 2, BOOT: 1}

_MASK = os.urandom(4)
_framing: dict[int, tuple[bytes, int]] = {}


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return one whole masked client frame; the masks of each length are made once."""
    n = len(payload)
    known = _framing.get(n) if opcode == 1 else None
    if known is None:
        first = 0x80 | opcode
        if n < 126:
            head = struct.pack("!BB", first, 0x80 | n)
        elif n < 65536:
            head = struct.pack("!BBH", first, 0x80 | 126, n)
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, n)
        known = head + _MASK, int.from_bytes((_MASK * (n // 4 + 1))[:n], "little")
        if opcode == 1:
            _framing[n] = known
    return known[0] + (int.from_bytes(payload, "little") ^ known[1]).to_bytes(n, "little")


def call(message_id: str, action: str, payload: dict) -> bytes:
    """Return the compact text of one CALL."""
    return json.dumps([2, message_id, action, payload], separators=(",", ":")).encode()


def reading(timestamp: str, energy: str | None = None, rnd: random.Random | None = None) -> dict:
    """Return one reading time with six samples; `rnd` varies the values, `energy` replaces the register's."""
    samples = []
    for measurand, unit, phase, example in _MEASURANDS:
        value = example
        if energy is not None and measurand == _ENERGY:
            value = energy
        elif rnd is not None:
            value = f"{float(example) * rnd.uniform(0.9, 1.1):.1f}"
        sample = {
            "value": value,
            "context": "Sample.Periodic",
            "format": "Raw",
            "measurand": measurand,
            "location": "Outlet",
            "unit": unit,
        }
        if phase is not None:
            sample["phase"] = phase
        samples.append(sample)
    return {"timestamp": timestamp, "sampledValue": samples}


def request(
    kind: int, timestamp: str = "2026-03-01T12:34:56.789Z", rnd: random.Random | None = None
) -> tuple[str, dict]:
    """Return (action, payload) of a kind, with fixed ids."""
    if kind == HB:
        return "Heartbeat", {}
    if kind == STATUS:
        return "StatusNotification", {
            "connectorId": 1,
            "errorCode": "NoError",
            "status": "Charging",
            "timestamp": timestamp,
            "info": "",
            "vendorId": "",
            "vendorErrorCode": "",
        }
    if kind in {MV6, MV60}:
        readings = [reading(timestamp, rnd=rnd) for _ in range(10 if kind == MV60 else 1)]
        return "MeterValues", {"connectorId": 1, "transactionId": 17, "meterValue": readings}
    if kind == START:
        tag = {"idTag": "04A1B2C3D4E5F6", "meterStart": 1234567}
        return "StartTransaction", {"connectorId": 1, **tag, "timestamp": timestamp}
    if kind == STOP:
        tag = {"transactionId": 17, "idTag": "04A1B2C3D4E5F6", "meterStop": 1239999}
        return "StopTransaction", {**tag, "timestamp": timestamp, "reason": "EVDisconnected"}
    return "BootNotification", {
        "chargePointVendor": "PerfLab",
        "chargePointModel": "PL-1",
        "chargePointSerialNumber": "PL0001",
        "firmwareVersion": "1.2.3",
    }


def pool(mix: str, size: int = 4096, seed: int = 1) -> list[tuple[int, bytes, bytes]]:
    """Return (kind, message id, frame) for a mix by weights, shuffled in blocks; ids are unique inside the pool."""
    weights = MIXES[mix]
    rnd = random.Random(seed)
    block = [kind for kind, weight in weights.items() for _ in range(weight)]
    kinds: list[int] = []
    for _ in range(max(size // len(block), 1)):
        rnd.shuffle(block)
        kinds += block
    out = []
    for i, kind in enumerate(kinds):
        message_id = f"{rnd.getrandbits(32):08x}-{i & 0xFFFF:04x}-4000-8000-{i:012x}"
        text = call(message_id, *request(kind, rnd=rnd))
        out.append((kind, message_id.encode(), frame(text)))
    return out
