"""The daemon's settings: environment > systemd credentials > TOML file > default.

A wrong value is an error of one line that names the setting, the value (never a secret's) and what is allowed.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import EnvSettingsSource

from csms.setting_sources import PREFIX, SettingsError, credentials, file
from csms.setting_values import (
    Endpoint,
    Endpoints,
    Identity,
    PathPrefix,
    Paths,
    Port,
    Rate,
    Responders,
    Seconds,
    SecondsOrNone,
    WebhookUrl,
    is_loopback_host,
)

_WITHOUT_PREFIX = ("mqtt", "http")
SECRETS = frozenset(
    {
        "mqtt.password",
        "http.token",
        "database.url",
        "authority.token",
        "authority.url",
        "pki.ca_key",
        "iso15118.ev_certificate_url",
        "iso15118.ocsp_responders",
        "iso15118.ev_certificate_token",
        "pki.token",
        "pki.url",
    }
)


class Section(BaseModel):
    """A section of the settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Ocpp(Section):
    """Where and how charge points connect."""

    listen: Endpoints = ["tcp:9000"]
    path: PathPrefix = "/ocpp/"
    heartbeat_interval: Annotated[Seconds, Field(ge=20)] = 300
    unknown_chargepoints: Literal["accept", "pending", "reject"] = "accept"
    anonymous_networks: Literal["private", "any"] = "private"
    unknown_tags: Literal["Accepted", "Blocked", "Expired", "Invalid", "Unknown"] = "Accepted"
    validation: Literal["strict", "tolerant", "off"] = "tolerant"
    ping_interval: Seconds = 30
    ping_timeout: Seconds = 20
    ask_transaction_status: bool = False
    compression: bool = True


class Tls(Section):
    """Direct TLS for charge points: PEM files, reloaded on SIGHUP."""

    listen: Endpoints = ["tcp:9443"]
    certificate: Paths = []
    key: Paths = []
    client_ca: str | None = None
    crl: str | None = None


class Security(Section):
    """What charge points have to prove; a charge point's own profile can only raise it."""

    profile: Annotated[int, Field(ge=0, le=3)] = 0


class Mqtt(Section):
    """The broker, the two streams, and commands."""

    enabled: bool = False
    host: str = "localhost"
    port: Port = 1883
    username: str | None = None
    password: SecretStr | None = None
    client_id: str | None = None
    tls: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    qos: Literal[1, 2] = 1
    protocol_events_enabled: bool = True
    business_events_enabled: bool = True
    commands_enabled: bool = True


class Database(Section):
    """The ledger."""

    url: SecretStr = SecretStr("sqlite:///csms.db")
    durability: Literal["full", "normal"] = "full"


class Http(Section):
    """The HTTP API."""

    listen: Endpoint = "tcp:8081:interface=127.0.0.1"
    port: Port | None = None
    token: SecretStr | None = None
    event_streams: Annotated[int, Field(ge=0, le=10_000)] = 64

    @property
    def endpoint(self) -> str:
        """Where to listen: ``port`` replaces only the port of ``listen``."""
        if self.port is None or not self.listen.startswith(("tcp:", "tcp6:")):
            return self.listen
        kind, _, rest = self.listen.partition(":")
        _, colon, options = rest.partition(":")
        return f"{kind}:{self.port}{colon}{options}"


class Billing(Section):
    """The default tariff: per kWh, per minute, per session."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    energy_rate: Rate = Decimal(0)
    time_rate: Rate = Decimal(0)
    session_fee: Rate = Decimal(0)
    running_cost: bool = False
    cost_updated: SecondsOrNone = 0
    tariff_in_authorize: bool = False


class Events(Section):
    """The event log."""

    retention: Seconds = 30 * 86400


class Ledger(Section):
    """How long raw data stays; transactions stay for ever."""

    readings_retention: Seconds = 400 * 86400
    records_retention: Seconds = 90 * 86400


def _none_or_enough(value: int) -> int:
    if 0 < value < 16384:
        raise ValueError("allowed are 0, which switches it off, and 16384 or more")
    return value


class Messages(Section):
    """The raw log: the last messages of each charge point."""

    retention: Seconds = 7 * 86400
    bytes_per_chargepoint: Annotated[int, Field(ge=0, le=1024**3), AfterValidator(_none_or_enough)] = 256 * 1024


class Authority(Section):
    """A web service that is asked about id tags that are unknown here."""

    url: WebhookUrl | None = None
    timeout: Annotated[Seconds, Field(le=30)] = 5
    token: SecretStr | None = None
    cache: SecondsOrNone = 300
    absent: Literal["Accepted", "Blocked", "Expired", "Invalid", "Unknown"] = "Invalid"


class Iso15118(Section):
    """Contract certificates of cars, and who is asked about certificates."""

    mo_roots: str | None = None
    ocsp_responders: Responders = []
    ocsp_issuers: str | None = None
    ev_certificate_url: WebhookUrl | None = None
    ev_certificate_token: SecretStr | None = None
    timeout: Annotated[Seconds, Field(le=30)] = 5


class Pki(Section):
    """The authority that signs the certificates of charge points; ``ca_key`` is a PEM file, or PEM itself."""

    authority: Literal["own", "https", "mqtt"] = "own"
    url: WebhookUrl | None = None
    token: SecretStr | None = None
    timeout: Annotated[Seconds, Field(le=20)] = 10
    patience: Annotated[Seconds, Field(ge=60)] = 86400
    roots: str | None = None
    ca_certificate: str | None = None
    ca_key: SecretStr | None = None
    organization: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    validity: Annotated[Seconds, Field(ge=86400)] = 365 * 86400
    expiry_notice: SecondsOrNone = 30 * 86400


class Limits(Section):
    """Bounds of the endpoint."""

    message_bytes: Annotated[int, Field(ge=4096, le=64 * 1024 * 1024)] = 1024 * 1024
    frame_bytes: Annotated[int, Field(ge=4096, le=64 * 1024 * 1024)] = 1024 * 1024
    handshake_timeout: Seconds = 15
    handshakes: Annotated[int, Field(ge=1)] = 128
    connections_per_address: Annotated[int, Field(ge=0)] = 0
    calls_per_second: Annotated[float, Field(gt=0)] = 50
    calls_burst: Annotated[int, Field(ge=1)] = 200


class Gateway(Section):
    """This daemon."""

    id: Identity = Field(default_factory=socket.gethostname)


class Log(Section):
    """The log on standard output."""

    format: Literal["json", "text"] = "json"
    level: Literal["debug", "info", "warn", "error"] = "info"


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        case_sensitive=False,
        hide_input_in_errors=True,
    )

    ocpp: Ocpp = Ocpp()
    tls: Tls = Tls()
    security: Security = Security()
    mqtt: Mqtt = Mqtt()
    database: Database = Database()
    http: Http = Http()
    billing: Billing = Billing()
    events: Events = Events()
    ledger: Ledger = Ledger()
    messages: Messages = Messages()
    authority: Authority = Authority()
    iso15118: Iso15118 = Iso15118()
    pki: Pki = Pki()
    limits: Limits = Limits()
    gateway: Gateway = Field(default_factory=Gateway)
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The mapping that `load` made of environment and credentials goes before the file, which comes as init."""
        del env_settings, dotenv_settings, file_secret_settings
        return (_Variables(settings_cls), init_settings)


class _Variables(EnvSettingsSource):
    """Environment variables and credentials, as `load` found them."""

    found: Mapping[str, str] = {}

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self.found.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list may be given as JSON, and a list of one as that one."""
        del field_name, field
        try:
            return json.loads(value)
        except ValueError:
            return value


def load(path: str | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Load the settings.

    :raises SettingsError: a file cannot be read, a key is unknown, a value is wrong.
    """
    environment = os.environ if environment is None else environment
    _Variables.found = {**_variables(credentials(environment)), **_variables(environment)}
    try:
        settings = Settings(**file(path))
    except ValidationError as error:
        raise SettingsError(_one_line(error, path)) from None
    _check_together(settings)
    return settings


def _check_authority(settings: Settings) -> None:
    pki, mqtt = settings.pki, settings.mqtt
    if pki.organization is None and (pki.ca_certificate is not None or pki.authority != "own"):
        needs = "pki.ca_certificate" if pki.authority == "own" else f"pki.authority = '{pki.authority}'"
        raise SettingsError(f"pki.organization: it is needed with {needs}")
    if pki.authority != "own" and pki.ca_certificate is not None:
        raise SettingsError("pki.ca_certificate: allowed with pki.authority = 'own' only")
    if (pki.authority == "https") != (pki.url is not None):
        raise SettingsError("pki.url: it goes together with pki.authority = 'https'")
    if pki.token is not None and pki.url is None:
        raise SettingsError("pki.token: allowed with pki.url only")
    if pki.roots is not None and pki.authority == "own":
        raise SettingsError("pki.roots: allowed with pki.authority = 'https' or 'mqtt' only")
    if pki.authority == "mqtt" and not (mqtt.enabled and mqtt.business_events_enabled):
        raise SettingsError("pki.authority: 'mqtt': allowed with mqtt.enabled and mqtt.business_events_enabled only")


def _check_together(settings: Settings) -> None:
    tls = settings.tls
    if len(tls.certificate) != len(tls.key):
        raise SettingsError("tls.key: allowed is one key for each certificate of tls.certificate")
    pki = settings.pki
    if (pki.ca_certificate is None) != (pki.ca_key is None):
        raise SettingsError("pki.ca_key: allowed is one together with pki.ca_certificate")
    _check_authority(settings)
    if settings.iso15118.ocsp_issuers is not None and not settings.iso15118.ocsp_responders:
        raise SettingsError("iso15118.ocsp_issuers: allowed with iso15118.ocsp_responders only")
    if tls.crl is not None and tls.client_ca is None:
        raise SettingsError("tls.crl: allowed with tls.client_ca only")
    if settings.security.profile >= 2 and not tls.certificate:
        raise SettingsError(f"security.profile: '{settings.security.profile}': allowed with tls.certificate only")
    if settings.security.profile == 3 and tls.client_ca is None:
        raise SettingsError("security.profile: '3': allowed with tls.client_ca only")
    if settings.http.token is None and not _is_loopback(settings.http.endpoint):
        raise SettingsError(
            f"http.listen: {settings.http.endpoint!r} is not loopback: that is allowed with http.token only"
        )


def _is_loopback(endpoint: str) -> bool:
    if endpoint.startswith("unix:"):
        return True
    interface = re.search(r"(?:^|:)interface=((?:[^:\\]|\\.)*)", endpoint)
    return interface is not None and is_loopback_host(interface[1].replace("\\", ""))


def _variables(found: Mapping[str, str]) -> dict[str, str]:
    """Pick what is ours: CSMS_…, and MQTT_… and HTTP_… without the prefix where they name a setting."""
    ours = {name: value for name, value in found.items() if name.upper().startswith(PREFIX)}
    for section in _WITHOUT_PREFIX:
        fields = Settings.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
        for name in fields:
            variable = f"{section}_{name}".upper()
            if variable in found and (section == "mqtt" or name == "port"):
                ours[PREFIX + variable] = found[variable]
    return ours


def _one_line(error: ValidationError, path: str | None) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"] if not isinstance(part, int)) or "the settings"
    if first["type"] == "extra_forbidden":
        section = Settings.model_fields.get(str(first["loc"][0]))
        known = getattr(section.annotation, "model_fields", {}) if section is not None else Settings.model_fields
        return f"{name}: unknown setting{f' in {path}' if path else ''}: allowed are {', '.join(sorted(known))}"
    shown = "" if name in SECRETS else f" {str(first.get('input'))[:80]!r}:"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}:{shown} {message[0].lower()}{message[1:]}"
