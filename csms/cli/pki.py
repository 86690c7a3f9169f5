"""``csms pki``: a certificate authority of one's own, for small sites and for trying: certificates of servers and chargers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography import x509
from cryptography.x509.oid import NameOID

from csms import certificates
from csms.certificates import Authority, BadCertificate, KeyKind, PrivateKey, Use
from csms.cli.arguments import as_json_option
from csms.cli.faults import Fault, Status
from csms.cli.output import Column, field, moment, print_fields, print_json, print_rows
from csms.cli.pki_folder import USES, Folder, Issued

Made = TypeVar("Made")
_COLUMNS: list[Column] = [
    ("use", field("use")),
    ("name", field("name")),
    ("organization", field("organization")),
    ("key", field("key")),
    ("ends", moment("notAfter")),
    ("days left", field("daysLeft")),
    ("serial", field("serial")),
    ("hosts", lambda item: ", ".join(item["hosts"])),
    ("file", field("file")),
]
_LONGEST_IDENTITY = 48
_AUTHORITY_DAYS = 3650
_DAYS = 365

_folder = click.option(
    "--dir",
    "path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("pki"),
    show_default=True,
    help="The folder of the authority and of what it issued.",
)
_key_kind = click.option(
    "--key",
    "kind",
    type=click.Choice(["ecdsa", "rsa"]),
    default="ecdsa",
    show_default=True,
    help=f"The kind of key: ECDSA P-256, or RSA with {certificates.RSA_BITS} bits.",
)


def _days(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--days", type=click.IntRange(1, 36500), default=default, show_default=True, help="How long it is valid."
    )


@click.group(epilog="Example: csms pki init --organization 'Example Charging'; csms pki issue charger CP001")
def pki() -> None:
    """Certificates: an authority, and certificates of servers and chargers."""


@pki.command(epilog="Example: csms pki init --organization 'Example Charging' --dir /etc/csms/pki")
@click.option("--organization", required=True, help="The operator's name: the O of every certificate.")
@click.option("--name", default="csms CA", show_default=True, help="The authority's own name.")
@_key_kind
@_days(_AUTHORITY_DAYS)
@_folder
@as_json_option
def init(organization: str, name: str, kind: KeyKind, days: int, path: Path, *, as_json: bool) -> None:
    """Make an authority: ca.pem, which everybody has to trust, and ca.key, which nobody else may see."""
    folder = Folder(path)
    if folder.has_authority:
        raise Fault(f"{path} has an authority: it is not overwritten")
    subject = _checked(lambda: certificates.name_of(name, organization))
    made = certificates.new_authority(subject, certificates.new_key(kind), _now(), timedelta(days=days))
    folder.make()
    place = folder.place(None, "")
    folder.write(place, made.certificate, made.key)
    _show(folder.read(None, place), as_json=as_json)


@pki.command(epilog="Example: csms pki issue server csms.example.org --host csms.example.org --host 192.0.2.7")
@click.argument("use", type=click.Choice(USES))
@click.argument("name")
@click.option("--host", "hosts", multiple=True, help="A host name or address of a server; its NAME if none is given.")
@_key_kind
@_days(_DAYS)
@_folder
@as_json_option
def issue(use: Use, name: str, hosts: tuple[str, ...], kind: KeyKind, days: int, path: Path, *, as_json: bool) -> None:
    """Issue a certificate with a new key: to the server NAME, or to the charger whose identity is NAME."""
    folder = Folder(path)
    authority = folder.authority()
    if use == "charger":
        _check_identity(name)
        if hosts:
            raise click.UsageError("--host is for servers")
    place = folder.place(use, name)
    if place.exists():
        raise Fault(f"{place} exists: renew it by csms pki renew {use} {name}")
    folder.make()
    wanted = (hosts or (name,)) if use == "server" else ()
    key = certificates.new_key(kind)
    folder.write(place, _made(authority, use, name, wanted, key, days), key)
    _show(folder.read(use, place), as_json=as_json)


@pki.command(epilog="Example: csms pki renew charger CP001; csms pki renew --within 30")
@click.argument("use", type=click.Choice(["ca", *USES]), required=False)
@click.argument("name", required=False)
@click.option("--within", type=click.IntRange(0), metavar="DAYS", help="All that end within so many days.")
@click.option("--keep-key", is_flag=True, help="Keep the key; else there is a new one of the same kind.")
@click.option("--days", type=click.IntRange(1, 36500), help="How long it is valid; as long as before if not given.")
@_folder
@as_json_option
def renew(
    use: str | None,
    name: str | None,
    within: int | None,
    *,
    keep_key: bool,
    days: int | None,
    path: Path,
    as_json: bool,
) -> None:
    """Issue certificates anew under their names: one, or all that end soon.

    The authority itself (csms pki renew ca) keeps its key and its name, so that what it issued stays valid.
    """
    folder = Folder(path)
    authority = folder.authority()
    found = _chosen(folder, use, name, within)
    for issued in found:
        validity = days if days is not None else _validity_days(issued)
        if issued.use is None:
            authority = certificates.new_authority(
                issued.certificate.subject, authority.key, _now(), timedelta(days=validity)
            )
            folder.write(issued.path, authority.certificate, None)
        else:
            _renew(folder, authority, issued, issued.use, validity, keep_key=keep_key)
    _show_all([folder.read(issued.use, issued.path) for issued in found], as_json=as_json)


@pki.command(name="list", epilog="Example: csms pki list --within 30 --json")
@click.option("--within", type=click.IntRange(0), metavar="DAYS", help="Only what ends within so many days.")
@_folder
@as_json_option
def list_(within: int | None, path: Path, *, as_json: bool) -> None:
    """List the certificates: whose, until when, in which file."""
    folder = Folder(path)
    if not folder.has_authority:
        raise folder.no_authority
    _show_all([issued for issued in folder.everything() if _ends_within(issued, within)], as_json=as_json)


def _chosen(folder: Folder, use: str | None, name: str | None, within: int | None) -> list[Issued]:
    if within is not None:
        if use is not None:
            raise click.UsageError("--within chooses by itself: give no name beside it")
        return [issued for issued in folder.everything() if _ends_within(issued, within)]
    if use is None or (name is None) != (use == "ca"):
        raise click.UsageError("say what to renew: ca, server NAME, charger NAME, or --within DAYS")
    kind = next((known for known in USES if known == use), None)
    place = folder.place(kind, name or "")
    if not place.exists():
        raise Fault(f"there is no certificate {place}", Status.NOT_FOUND)
    return [folder.read(kind, place)]


def _renew(folder: Folder, authority: Authority, issued: Issued, use: Use, days: int, *, keep_key: bool) -> None:
    names = certificates.names_in(issued.certificate, NameOID.COMMON_NAME)
    if not names:
        raise Fault(f"{issued.path} has no common name")
    hosts = certificates.hosts_of(issued.certificate)
    if keep_key:
        key = _checked(lambda: certificates.read_key(issued.key_path.read_bytes()))
    else:
        is_rsa = certificates.key_text(issued.certificate.public_key()).startswith("RSA")
        key = certificates.new_key("rsa" if is_rsa else "ecdsa")
    made = _made(authority, use, names[0], hosts, key, days)
    folder.write(issued.path, made, None if keep_key else key)


def _made(
    authority: Authority, use: Use, name: str, hosts: Sequence[str], key: PrivateKey, days: int
) -> x509.Certificate:
    # The operator is the authority's: a certificate of another would name no charger of ours.
    organization = next(iter(certificates.names_in(authority.certificate, NameOID.ORGANIZATION_NAME)), None)
    validity = timedelta(days=days)

    def make() -> x509.Certificate:
        subject = certificates.name_of(name, organization)
        return certificates.issue(authority, subject, key.public_key(), use, _now(), validity, hosts)

    return _checked(make)


def _check_identity(name: str) -> None:
    if not 0 < len(name) <= _LONGEST_IDENTITY or ":" in name:
        raise Fault(f"{name[:80]!r} is no identity: allowed are 1 to {_LONGEST_IDENTITY} characters without :")


def _checked(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except BadCertificate as error:
        raise Fault(str(error)) from None


def _validity_days(issued: Issued) -> int:
    certificate = issued.certificate
    return max(1, (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days)


def _ends_within(issued: Issued, days: int | None) -> bool:
    return days is None or issued.certificate.not_valid_after_utc <= _now() + timedelta(days=days)


def _now() -> datetime:
    return datetime.now(UTC)


def _document(issued: Issued) -> dict[str, Any]:
    certificate = issued.certificate
    return {
        "use": issued.use or "ca",
        "name": ", ".join(certificates.names_in(certificate, NameOID.COMMON_NAME)),
        "organization": ", ".join(certificates.names_in(certificate, NameOID.ORGANIZATION_NAME)),
        "key": certificates.key_text(certificate.public_key()),
        "serial": certificates.serial_of(certificate),
        "notBefore": _wire(certificate.not_valid_before_utc),
        "notAfter": _wire(certificate.not_valid_after_utc),
        "daysLeft": (certificate.not_valid_after_utc - _now()).days,
        "hosts": certificates.hosts_of(certificate),
        "file": str(issued.path),
        "keyFile": str(issued.key_path),
    }


def _wire(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _show(issued: Issued, *, as_json: bool) -> None:
    (print_json if as_json else print_fields)(_document(issued))


def _show_all(found: list[Issued], *, as_json: bool) -> None:
    documents = [_document(issued) for issued in found]
    if as_json:
        print_json({"items": documents})
    else:
        print_rows(_COLUMNS, documents)
