"""The corpus: files of bytes in tests/corpus, a folder for each target. What fuzzing has found is there for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "corpus"


def entries(target: str) -> list[Path]:
    return sorted(path for path in (FOLDER / target).iterdir() if path.is_file())


def keep(target: str, data: bytes) -> Path:
    """Write what was found; return the file."""
    path = FOLDER / target / f"found-{hashlib.sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    return path
