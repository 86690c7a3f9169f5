"""Values that are believed for a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """A bounded cache: where it is full, the value that came first goes first. ``now`` is a monotonic clock."""

    def __init__(self, now: Callable[[], float], size: int) -> None:
        self._now = now
        self._size = size
        self._values: OrderedDict[Key, tuple[Value, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """Return a value that is still believed."""
        found = self._values.get(key)
        if found is None:
            return None
        value, until = found
        if until <= self._now():
            del self._values[key]
            return None
        return value

    def put(self, key: Key, value: Value, seconds: float) -> None:
        """Believe a value for some seconds, in place of the one before."""
        self._values.pop(key, None)
        if seconds <= 0:
            return
        self._values[key] = (value, self._now() + seconds)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Believe nothing of what was put here."""
        self._values.clear()
