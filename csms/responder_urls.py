"""URLs that others name, held against those that an operator allows: what is not plain is not understood, and not allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

_URL = re.compile(
    r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?(/[a-z0-9._~!$&'()*+,;=:@/-]*)?",
    re.ASCII | re.IGNORECASE,
)
_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535


@frozen
class PlainUrl:
    """A URL without name, password, query, fragment, escapes and dot segments: no two readers can differ about it."""

    origin: str
    path: str

    @classmethod
    def of(cls, text: str) -> PlainUrl:
        """Read a URL.

        :raises ValueError: it is not plain.
        """
        found = _URL.fullmatch(text)
        if found is None:
            raise ValueError("allowed are http:// and https:// URLs without a name, query, fragment or %")
        scheme, host, path = found[1].lower(), found[2].lower(), found[4] or "/"
        port = int(found[3]) if found[3] is not None else _PORTS[scheme]
        if port > _LAST_PORT or not {".", ".."}.isdisjoint(path.split("/")):
            raise ValueError("allowed are URLs with a port up to 65535, and without . and .. in the path")
        return cls(f"{scheme}://{host}:{port}", path)

    def __str__(self) -> str:
        return self.origin + self.path

    def holds(self, other: PlainUrl) -> bool:
        """Tell whether another URL is this one, or below it."""
        folder = self.path if self.path.endswith("/") else f"{self.path}/"
        return self.origin == other.origin and (other.path == self.path or other.path.startswith(folder))


def allowed(url: str, prefixes: Iterable[PlainUrl]) -> PlainUrl | None:
    """Return a URL as it may be asked, None where it may not."""
    try:
        plain = PlainUrl.of(url)
    except ValueError:
        return None
    return plain if any(prefix.holds(plain) for prefix in prefixes) else None
