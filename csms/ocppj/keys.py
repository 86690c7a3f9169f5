"""Member names: camelCase on the wire, snake_case in handlers, as the `ocpp` library has them.

The library converts name by name with regular expressions (113 µs a message); here each name of the schemas is converted
once, by the library's own function, and looked up from then on. A member that no schema knows is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ocpp.charge_point import camel_to_snake_case


class KeyNames:
    """The two tables of one OCPP version."""

    __slots__ = ("_camel", "_snake")

    def __init__(self, names: Iterable[str]) -> None:
        self._snake: dict[str, str] = {}
        for name in names:
            (snake,) = camel_to_snake_case({name: None})
            self._snake[name] = snake
        self._camel = {snake: name for name, snake in self._snake.items()}

    def to_snake(self, value: Any) -> Any:
        """Return a copy with snake_case member names; unknown members are left out."""
        if type(value) is dict:
            snake = self._snake
            return {
                snake[name]: self.to_snake(item) if type(item) is dict or type(item) is list else item
                for name, item in value.items()
                if name in snake
            }
        if type(value) is list:
            return [self.to_snake(item) for item in value]
        return value

    def to_camel(self, value: Any) -> Any:
        """Return a copy with the names of the wire; members that are None are left out.

        :raises KeyError: a member that no schema of this version knows.
        """
        if type(value) is dict:
            return {self._camel[name]: self.to_camel(item) for name, item in value.items() if item is not None}
        if type(value) is list:
            return [self.to_camel(item) for item in value]
        return value
