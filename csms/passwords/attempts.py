"""Who has given wrong passwords too often, without I/O: he waits, longer each time, before another one of his is looked at.

Counted for each pair of identity and address, so that nobody can lock out a charge point that comes from elsewhere; and for
each address, so that nobody tries one password with every identity. An IPv6 address counts by its /64, which is one's own.
Whoever is behind loopback is behind a proxy: its address is everybody's, and is not counted by itself.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from attrs import define, field

FREE = 3
"""So many wrong passwords of a pair cost nothing: a charge point may repeat itself while its password is being changed."""
LONGEST_S = 300.0
FORGOTTEN_S = 3600.0
ADDRESS_BURST = 200
ADDRESS_PER_S = 5.0
_MOST_PAIRS = 20_000
_MOST_ADDRESSES = 5_000
Key = TypeVar("Key", bound=Hashable)
Entry = TypeVar("Entry")


class Recent(OrderedDict[Key, Entry], Generic[Key, Entry]):
    """A table that forgets what was touched longest ago when it is full."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def put(self, key: Key, entry: Entry) -> None:
        """Enter something, as what was touched last."""
        self[key] = entry
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


@define
class _Failures:
    count: int
    at: float


@define
class _Allowance:
    left: float
    at: float


@define(eq=False)
class Attempts:
    """See the module. ``seconds`` is a clock that never goes back."""

    _seconds: Callable[[], float]
    _pairs: Recent[tuple[str, str], _Failures] = field(factory=lambda: Recent(_MOST_PAIRS))
    _addresses: Recent[str, _Allowance] = field(factory=lambda: Recent(_MOST_ADDRESSES))

    def wait_s(self, client_id: str, address: str) -> float:
        """Return for how many seconds no password is looked at, 0 for none."""
        now, network = self._seconds(), network_of(address)
        failures = self._pairs.get((client_id, network))
        left_s = failures.at + _lock_s(failures.count) - now if failures is not None else 0.0
        return max(left_s, self._address_wait_s(network, now), 0.0)

    def _address_wait_s(self, network: str, now: float) -> float:
        allowance = self._addresses.get(network)
        return (1 - _allowed(allowance, now)) / ADDRESS_PER_S if allowance is not None else 0.0

    def failed(self, client_id: str, address: str) -> None:
        """A wrong password was given."""
        now, network = self._seconds(), network_of(address)
        before = self._pairs.get((client_id, network))
        count = before.count if before is not None and now - before.at < FORGOTTEN_S else 0
        self._pairs.put((client_id, network), _Failures(count + 1, now))
        if network:
            left = _allowed(self._addresses.get(network), now)
            self._addresses.put(network, _Allowance(max(left - 1, 0.0), now))

    def succeeded(self, client_id: str, address: str) -> None:
        """The right password was given."""
        self._pairs.pop((client_id, network_of(address)), None)

    def forgive(self, client_id: str) -> None:
        """The password is another one: what was wrong before may be right now."""
        for pair in [pair for pair in self._pairs if pair[0] == client_id]:
            del self._pairs[pair]


def _lock_s(count: int) -> float:
    return 0.0 if count < FREE else min(2.0 ** min(count - FREE + 1, 16), LONGEST_S)


def _allowed(allowance: _Allowance | None, now: float) -> float:
    if allowance is None:
        return float(ADDRESS_BURST)
    return min(allowance.left + (now - allowance.at) * ADDRESS_PER_S, float(ADDRESS_BURST))


def network_of(address: str) -> str:
    """Return what an address counts by; nothing for loopback and sockets without an address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
