"""Where the daemon's HTTP API is, and with which token: the global options of the command line."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path

import click
import httpx
from attrs import field, frozen
from click.core import ParameterSource

from csms.cli.faults import Fault, Status


@frozen
class Address:
    """Where the daemon is, and the token that it wants."""

    url: str
    token: str | None = field(repr=False)

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context: with the machine's own authorities, or those of SSL_CERT_FILE."""
        if self.url.startswith("https:"):
            return ssl.create_default_context()
        # Loading them takes a while: here they are not needed.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        host = httpx.URL(self.url).host
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")


def address(context: click.Context) -> Address:
    """Return the address that the global options name.

    :raises Fault: they are wrong; the token is not told.
    """
    root = context.find_root()
    url = _checked_url(root.params["url"])
    token: str | None = root.params.get("token")
    file: Path | None = root.params.get("token_file")
    named = root.get_parameter_source("token") is ParameterSource.COMMANDLINE
    if file is not None and not named:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Fault(f"{file} cannot be read: {reason}", Status.USAGE) from None
    if token and not token.isprintable():
        raise Fault("the token has characters that are not printable", Status.USAGE)
    return Address(url, token or None)


def _checked_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise Fault("--url: that is no URL", Status.USAGE) from None
    if url.userinfo:
        raise Fault("--url: a password does not belong there; the daemon wants a token", Status.USAGE)
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise Fault("--url: allowed is http://host:port or https://host:port, with a path if need be", Status.USAGE)
    return str(url).rstrip("/")
