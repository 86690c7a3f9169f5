"""Where settings stand outside of the environment: the TOML file, and systemd's directory of credentials."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PREFIX = "CSMS_"


class SettingsError(Exception):
    """A setting is wrong; the message is one line for the operator."""


def credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials that systemd gives, by the names of their files.

    :raises SettingsError: their directory cannot be read.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return {}
    try:
        return {
            entry.name: entry.read_text(encoding="utf-8").rstrip("\n")
            for entry in Path(directory).iterdir()
            if entry.is_file() and entry.name.upper().startswith((PREFIX, "MQTT_", "HTTP_"))
        }
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the credentials directory {directory} cannot be read: {error}") from None


def file(path: str | None) -> dict[str, Any]:
    """Return what stands in a TOML file, nothing where there is none.

    :raises SettingsError: it cannot be read, or is no TOML.
    """
    if path is None:
        return {}
    try:
        with Path(path).open("rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None
