"""Statements on the driver's own connection: SQLAlchemy's way to a result takes longer than most of the writer's statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Update
from sqlalchemy.exc import DBAPIError


class Compiled:
    """A statement that is compiled once. Its parameters and its results are as the driver takes and gives them."""

    def __init__(self, statement: Update, dialect: Dialect) -> None:
        self._compiled = statement.compile(dialect=dialect)
        self._text = str(self._compiled)

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Execute with these values; return the driver's cursor."""
        parameters: Any = self._compiled.construct_params(dict(values))
        if self._compiled.positiontup is not None:
            parameters = [parameters[name] for name in self._compiled.positiontup]
        return on_the_driver(connection)(self._text, parameters)


def on_the_driver(connection: Connection) -> Callable[[str, Any], Any]:
    """Return a way to execute on the driver's own connection and get its cursor; its errors are SQLAlchemy's."""
    dialect = connection.dialect
    driver: Any = connection.connection.driver_connection
    kind: type[Exception] = dialect.loaded_dbapi.Error

    def execute(text: str, parameters: Any) -> Any:
        try:
            return driver.execute(text, parameters)
        except kind as error:
            is_gone = dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
            raise DBAPIError.instance(
                text, None, error, kind, hide_parameters=True, connection_invalidated=is_gone, dialect=dialect
            ) from error

    return execute
