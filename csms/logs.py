"""Log lines on standard output: JSON for the journal, or text for people. One event, one line, whatever is in it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import IO, Literal

import orjson
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from zope.interface import implementer

Format = Literal["json", "text"]
_MAX_MESSAGE = 4000
_FIELDS = ("client_id", "action", "code", "status")
_NOISY = ("twisted.internet.protocol", "autobahn", "klein", "twisted.web")


@implementer(ILogObserver)
class LineObserver:
    """Writes each log event as one line; control characters and bidi marks of hostile texts are escaped."""

    def __init__(self, stream: IO[str], kind: Format) -> None:
        self._stream = stream
        self._kind = kind

    def __call__(self, event: LogEvent) -> None:
        level: LogLevel = event.get("log_level", LogLevel.info)
        message = formatEvent(event)[:_MAX_MESSAGE]
        failure = event.get("log_failure")
        at = datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds")
        if self._kind == "json":
            line = {"time": at, "level": level.name, "logger": event.get("log_namespace"), "message": message}
            line.update({name: str(event[name])[:200] for name in _FIELDS if event.get(name) is not None})
            if failure is not None:
                line["traceback"] = failure.getTraceback()[-_MAX_MESSAGE:]
            text = orjson.dumps(line).decode()
        else:
            text = f"{at} {level.name:5} {message}"
            if failure is not None:
                text += " | " + failure.getTraceback()[-_MAX_MESSAGE:].strip().replace("\n", " | ")
        try:
            self._stream.write("".join(map(_visible, text)) + "\n")
            self._stream.flush()
        except OSError:
            # Nobody reads the log any more: that is no reason to stop charging.
            return


def _visible(character: str) -> str:
    return character if character.isprintable() else f"\\u{ord(character):04x}"


def observer(kind: Format, level: str) -> ILogObserver:
    """Return the observer for the daemon's log."""
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    for namespace in _NOISY:
        predicate.setLogLevelForNamespace(namespace, LogLevel.warn)
    filtered: ILogObserver = FilteringLogObserver(LineObserver(sys.stdout, kind), [predicate])
    return filtered
