"""``csms check-config``: the settings as the daemon would have them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text
from twisted.internet.endpoints import serverFromString

from csms import certificates
from csms.setting_sources import SettingsError
from csms.settings import SECRETS, Settings, load


@click.command(name="check-config", epilog="Example: csms check-config /etc/csms/csms.toml")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check_config(file: Path | None) -> None:
    """Check the settings of FILE, the environment and the credentials directory as the daemon does.

    Prints what is in effect, without secrets. The exit status is 1 where the daemon would not start with them, and the
    error is one line that names the setting. Without FILE only the environment counts.
    """
    rows = list(effective(checked(file)))
    if not sys.stdout.isatty():
        for name, value in rows:
            click.echo(f"{name} = {value}")
        return
    table = Table("setting", "value", caption="the settings are right", caption_justify="left")
    for name, value in rows:
        table.add_row(name, Text(value))
    Console().print(table)


def checked(file: Path | None) -> Settings:
    """Load the settings, and check what the daemon checks before it starts.

    :raises click.ClickException: something is wrong.
    """
    from csms.cli.db import database_url

    try:
        settings = load(str(file) if file is not None else None)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    database_url(settings)
    _check_endpoints(settings)
    for name in ("certificate", "key"):
        for path in getattr(settings.tls, name):
            _check_readable(f"tls.{name}", path)
    for setting, path in (
        ("tls.client_ca", settings.tls.client_ca),
        ("tls.crl", settings.tls.crl),
        ("pki.ca_certificate", settings.pki.ca_certificate),
        ("pki.roots", settings.pki.roots),
        ("mqtt.ca", settings.mqtt.ca),
        ("mqtt.certificate", settings.mqtt.certificate),
        ("mqtt.key", settings.mqtt.key),
    ):
        if path is not None:
            _check_readable(setting, path)
    key = settings.pki.ca_key.get_secret_value() if settings.pki.ca_key is not None else None
    if key is not None and not certificates.is_pem(key):
        # Not named: it may be a key that is no PEM.
        _check_readable("pki.ca_key", key, shown="its file")
    for name in ("mo_roots", "ocsp_issuers"):
        authorities = getattr(settings.iso15118, name)
        if authorities is not None and not Path(authorities).is_dir():
            _check_readable(f"iso15118.{name}", authorities)
    return settings


def _check_endpoints(settings: Settings) -> None:
    from twisted.internet import reactor

    endpoints = [("ocpp.listen", text) for text in settings.ocpp.listen]
    if settings.tls.certificate:
        endpoints += [("tls.listen", text) for text in settings.tls.listen]
    for name, text in [*endpoints, ("http.listen", settings.http.endpoint)]:
        # What systemd hands over is not here to be looked at.
        if text.startswith("systemd:"):
            continue
        try:
            serverFromString(reactor, text)
        except (ValueError, KeyError, TypeError) as error:
            raise click.ClickException(f"{name}: {text!r} is no server endpoint: {error}") from None


def _check_readable(name: str, path: str, shown: str | None = None) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise click.ClickException(f"{name}: {shown or path} cannot be read: {error.strerror}") from None


def effective(settings: Settings) -> Iterator[tuple[str, str]]:
    """Give each setting's name and value; a secret's value is not told."""
    from csms.cli.db import database_url

    for section in type(settings).model_fields:
        group: BaseModel = getattr(settings, section)
        for name in type(group).model_fields:
            value = getattr(group, name)
            if (section, name) == ("database", "url"):
                yield "database.url", database_url(settings).render_as_string(hide_password=True)
            elif isinstance(value, str) and f"{section}.{name}" in SECRETS:
                yield f"{section}.{name}", _without_query(value)
            else:
                yield f"{section}.{name}", _shown(value)


def _without_query(url: str) -> str:
    """Return a URL as it may be shown: what follows its path may be a key."""
    place, _, query = url.partition("?")
    return f"{place}?(hidden)" if query else place


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, SecretStr):
        return "(hidden)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
