"""Column types: what differs between SQLite and PostgreSQL, decided once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson
from sqlalchemy import BigInteger, Integer, Numeric, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import DateTime, TypeEngine

Processor = Callable[[Any], Any]
"""From a value to what the driver takes. Each type gives its own, rather than SQLAlchemy's call of a call for each value."""

BigKey = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC: ISO 8601 text on SQLite, ``timestamptz`` on PostgreSQL."""

    impl = String(40)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else String(40))

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        return None if dialect.name == "postgresql" else _time_text

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromisoformat(value)


class Exact(TypeDecorator[Decimal]):
    """An exact decimal: text on SQLite, which has no decimals, ``numeric`` on PostgreSQL."""

    impl = String(40)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric() if dialect.name == "postgresql" else String(40))

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        return None if dialect.name == "postgresql" else _decimal_text

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


class JsonOf(TypeDecorator[Any]):
    """A structure as JSON text; ``kind`` is what it is decoded to."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)
        self._encoder = msgspec.json.Encoder()

    def bind_processor(self, dialect: Dialect) -> Processor:  # noqa: ARG002
        encode = self._encoder.encode
        return lambda value: None if value is None else encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else self._decoder.decode(value)


class Utf8(TypeDecorator[bytes]):
    """Bytes that are UTF-8 text."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Processor:  # noqa: ARG002
        return _text

    def process_result_value(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else value.encode()


def _time_text(value: datetime | None) -> str | None:
    """Return a time as text, always with microseconds: texts must sort as the times do.

    As `datetime.isoformat` does, in a third of its time.
    """
    if value is None:
        return None
    text = orjson.dumps(value)[1:-1].decode()
    return text if value.microsecond else f"{text[:19]}.000000{text[19:]}"


def _decimal_text(value: Decimal | None) -> str | None:
    """Return a decimal as text without an exponent."""
    if value is None:
        return None
    text = str(value)
    return format(value, "f") if "E" in text else text


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
