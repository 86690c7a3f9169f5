"""The composition root: the daemon made of its parts. Opens nothing."""

from __future__ import annotations

import os
import random
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.client import Agent
from twisted.web.server import Site

import csms
from csms import certificates, logs
from csms.api.access import Access
from csms.api.api import Parts, make_http_site
from csms.api.event_feed import EventFeed
from csms.api.health import Health
from csms.authority.contracts import ContractCertificates
from csms.authority.ev_certificates import EvCertificateProvider, EvCertificateTerms
from csms.authority.external import ExternalAuthority, Service
from csms.authority.ocsp import OcspResponders, OcspTerms
from csms.authority.signing import CertificateAuthority
from csms.authority.webhook import Terms, Webhook, webhook
from csms.chargepoint.certificate_watch import CertificateWatch, OwnCertificate
from csms.chargepoint.commands import Commands
from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.operations import Operations
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.events import business, topics
from csms.events.identity import event_id
from csms.events.protocol import ProtocolEvent
from csms.handlers.certificate_requests import Signing, described
from csms.handlers.families import command_sets, handlers
from csms.handlers.iso15118 import Providers
from csms.handlers.request import Policy
from csms.handlers.tags import Tags
from csms.ledger.cost import Tariff
from csms.ledger.state import Registration
from csms.metrics import Counters
from csms.mqtt.command_feed import CommandFeed
from csms.mqtt.commands import MqttCommands
from csms.mqtt.feed import Broker, Feed, Retained
from csms.mqtt.protocol_stream import ProtocolStream
from csms.mqtt.relay import Relay
from csms.mqtt.request_memory import RequestMemory
from csms.mqtt.thread import MqttThread
from csms.ocppj.versions import SUPPORTED
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from csms.passwords.threads import Threads
from csms.responder_urls import PlainUrl
from csms.service import Daemon, Listener
from csms.settings import Settings
from csms.store.certificates import certificate_names
from csms.store.database import parse_url
from csms.store.message_log import MessageLog
from csms.store.retention import Retention
from csms.store.store import Store
from csms.systemd import Notifier
from csms.turns import Stage, Turn
from csms.websocket.client_certificates import ClientCertificates, shown_by
from csms.websocket.door import CERTIFICATE, Door
from csms.websocket.factory import ChargePointFactory
from csms.websocket.limits import Limits
from csms.websocket.refusals import FLUSH_S as REPORT_REFUSALS_S
from csms.websocket.revocations import NEVER
from csms.websocket.tls import ChargePointTls

_log = Logger()
_BACKLOG = 4096
_HASHING_THREADS = 2
_LEAST_HASHES = 128
"""How many hashes of passwords may wait at least; a handshake that waits for one is still in the gate."""
_REGISTRATIONS: dict[str, Registration] = {"accept": "Accepted", "pending": "Pending", "reject": "Rejected"}


def utc_now() -> datetime:
    """Return the wall clock's time."""
    return datetime.now(UTC)


def _new_event_id(event_type: str, now: datetime) -> str:
    return event_id(event_type, now, random.getrandbits)


def build(reactor: Any, settings: Settings, environment: Mapping[str, str]) -> Daemon:
    """Wire the daemon's parts together."""
    gateway_id = settings.gateway.id
    counters = Counters()
    store = Store(
        reactor,
        parse_url(settings.database.url.get_secret_value()),
        settings.database.durability,
        gateway_id,
        time.monotonic,
    )
    message_log = MessageLog(store, counters, time.monotonic, settings.messages.bytes_per_chargepoint)
    command_feed = None
    if settings.mqtt.enabled and settings.mqtt.commands_enabled:
        command_feed = CommandFeed(reactor, counters, time.monotonic)
    stream, relay, mqtt = _mqtt(settings, store, counters, command_feed)
    if relay is not None:
        store.event_listeners.append(relay.committed)
    event_feed = EventFeed(reactor, store, settings.http.event_streams)
    store.event_listeners.append(event_feed.committed)
    policy = Policy(
        heartbeat_interval_s=round(settings.ocpp.heartbeat_interval),
        unknown_tags=settings.ocpp.unknown_tags,
        tariff=Tariff(**settings.billing.model_dump(include=set(Tariff.__struct_fields__))),
        tells_running_cost=settings.billing.running_cost,
        tells_tariff=settings.billing.tariff_in_authorize,
    )
    authority = _authority(reactor, settings, counters)
    responders = _responders(reactor, settings, counters)
    contracts = _contracts(settings, responders)
    providers = Providers(responders, _ev_certificates(reactor, settings))
    signer, other_authority = _signer(settings), _other_authority(reactor, settings)
    policy_holder = signer or other_authority
    signing = None
    if policy_holder is not None:
        signing = Signing(
            policy_holder,
            lambda client_id: store.read(certificate_names, client_id),
            is_elsewhere=other_authority is not None,
        )
    shared = Shared(
        clock=reactor,
        now=utc_now,
        new_event_id=_new_event_id,
        gateway_id=gateway_id,
        ledger=store,
        dispatchers={
            version: Dispatcher.of(version, handlers(version, store, policy, authority, contracts, signing, providers))
            for version in SUPPORTED
        },
        counters=counters,
        publish_protocol_event=_together(store.turn, stream, message_log),
        unknown_chargepoints=_REGISTRATIONS[settings.ocpp.unknown_chargepoints],
        validation=settings.ocpp.validation,
        turn=store.turn,
    )
    registry = Registry(shared)
    hashing = Threads(reactor, _HASHING_THREADS, max(settings.limits.handshakes, _LEAST_HASHES))
    passwords = Passwords(hashing, secrets.token_bytes(32), Attempts(time.monotonic))
    operations = Operations.of(
        shared,
        registry,
        command_sets(policy.tariff),
        new_message_id=lambda: str(uuid.uuid4()),
        tariff=policy.tariff,
        asks_transaction_status=settings.ocpp.ask_transaction_status,
        cost_updates_every_s=settings.billing.cost_updated,
        signing=signing,
        signer=signer,
        other_authority=other_authority,
        signing_patience=timedelta(seconds=settings.pki.patience),
        expiry_notice=timedelta(seconds=settings.pki.expiry_notice),
        tags=Tags(store, policy.unknown_tags, authority),
        passwords=passwords,
    )
    if command_feed is not None:
        _join(command_feed, operations.commands, registry, RequestMemory(store, gateway_id))
    sockets = ChargePointFactory(
        reactor,
        shared,
        registry,
        _limits(settings),
        Door(
            passwords,
            settings.security.profile,
            anonymous_from_anywhere=settings.ocpp.anonymous_networks == "any",
            rejects_unknown=shared.unknown_chargepoints == "Rejected",
            on_renewed=operations.new_passwords.came_with,
        ),
        path=settings.ocpp.path,
        compresses=settings.ocpp.compression,
    )
    tls = None
    if settings.tls.certificate:
        tls = ChargePointTls(
            [str(Path(path).absolute()) for path in settings.tls.certificate],
            [str(Path(path).absolute()) for path in settings.tls.key],
            _absolute(settings.tls.client_ca),
            _absolute(settings.tls.crl),
            demands_certificates=settings.security.profile >= CERTIFICATE,
        )
    sockets.certificate_shown = ClientCertificates(
        utc_now, settings.pki.organization, lambda issuer: tls.lists_end(issuer) if tls is not None else NEVER
    ).shown
    sockets.on_certified = partial(_watch, operations.certificate_watch)
    if tls is not None:
        operations.certificate_watch.own = partial(_own_certificates, tls)
        operations.certificate_watch.lists_end = partial(_lists_end, tls)
    token = settings.http.token.get_secret_value() if settings.http.token is not None else None
    health = Health(
        counters,
        lambda: {"store": store.available, "listeners": daemon.is_listening},
        lambda: {
            "mqtt": ("connected" if mqtt.connected else "disconnected") if mqtt is not None else "off",
            "gatewayId": gateway_id,
            "version": csms.__version__,
        },
    )
    api = Parts(
        ledger=store,
        commands=operations.commands,
        provisioning=operations.provisioning,
        transactions=operations.transactions,
        feed=event_feed,
        access=Access(store, time.monotonic, token),
        now=utc_now,
        gateway_id=gateway_id,
        tariff=policy.tariff,
    )
    daemon = Daemon(
        reactor=reactor,
        store=store,
        message_log=message_log,
        registry=registry,
        sockets=sockets,
        listeners=_listeners(reactor, settings, sockets, tls, make_http_site(api, health)),
        event_feed=event_feed,
        mqtt=mqtt,
        tls=tls,
        notifier=Notifier.from_environment(environment, os.getpid()),
        retention=Retention(
            settings.events.retention,
            settings.ledger.readings_retention,
            settings.ledger.records_retention,
            settings.messages.retention,
        ),
        now=utc_now,
        observer=logs.observer(settings.log.format, settings.log.level),
        jobs=[*operations.jobs, (REPORT_REFUSALS_S, sockets.refusals.flush)],
        threads=(hashing.stop,),
        authority=authority,
        contracts=contracts,
        responders=responders,
        signer=policy_holder,
    )
    counters.gauges.update(
        connected_charge_points=("charge points that are connected", lambda: len(registry)),
        mqtt_connected=("whether the broker is connected", lambda: int(mqtt is not None and mqtt.connected)),
        mqtt_command_subscriptions=(
            "charge points whose commands are subscribed to",
            lambda: command_feed.subscriptions if command_feed is not None else 0,
        ),
        relay_backlog=("events read but not acknowledged", lambda: relay.backlog if relay is not None else 0),
        event_streams=("clients of the live view", lambda: len(event_feed)),
        ledger_available=("whether the ledger can be written", lambda: int(store.available)),
        ledger_commits=("commits since the start", lambda: store.commits),
        ledger_decisions=("decisions committed since the start", lambda: store.decisions),
    )
    return daemon


def _watch(watch: CertificateWatch, client_id: str, transport: Any) -> None:
    certificate = shown_by(transport)
    if certificate is not None:
        watch.came_with(client_id, described(certificate))


def _own_certificates(tls: ChargePointTls) -> list[OwnCertificate]:
    return [OwnCertificate(file, described(certificate)) for file, certificate in tls.shown.items()]


def _lists_end(tls: ChargePointTls) -> dict[str, datetime]:
    return tls.lists


def _authority(reactor: Any, settings: Settings, counters: Counters) -> Webhook | None:
    authority = settings.authority
    if authority.url is None:
        return None
    terms = Terms(
        url=authority.url,
        timeout_s=authority.timeout,
        token=authority.token.get_secret_value() if authority.token is not None else None,
        cache_s=authority.cache,
        absent=authority.absent,
    )
    return webhook(reactor, terms, counters)


def _contracts(settings: Settings, responders: OcspResponders | None) -> ContractCertificates | None:
    path = _absolute(settings.iso15118.mo_roots)
    return ContractCertificates(deferToThread, path, responders) if path is not None else None


def _responders(reactor: Any, settings: Settings, counters: Counters) -> OcspResponders | None:
    iso15118 = settings.iso15118
    if not iso15118.ocsp_responders:
        return None
    terms = OcspTerms(
        [PlainUrl.of(url) for url in iso15118.ocsp_responders], iso15118.timeout, _absolute(iso15118.ocsp_issuers)
    )
    agent = Agent(reactor, connectTimeout=terms.timeout_s)
    return OcspResponders(reactor, agent, deferToThread, terms, utc_now, counters)


def _ev_certificates(reactor: Any, settings: Settings) -> EvCertificateProvider | None:
    iso15118 = settings.iso15118
    if iso15118.ev_certificate_url is None:
        return None
    token = iso15118.ev_certificate_token
    terms = EvCertificateTerms(
        iso15118.ev_certificate_url, token.get_secret_value() if token is not None else None, iso15118.timeout
    )
    return EvCertificateProvider(reactor, Agent(reactor, connectTimeout=terms.timeout_s), terms)


def _signer(settings: Settings) -> CertificateAuthority | None:
    pki = settings.pki
    if pki.authority != "own" or pki.ca_certificate is None or pki.ca_key is None or pki.organization is None:
        return None
    key = pki.ca_key.get_secret_value()
    return CertificateAuthority(
        deferToThread,
        str(Path(pki.ca_certificate).absolute()),
        key if certificates.is_pem(key) else str(Path(key).absolute()),
        pki.organization,
        timedelta(seconds=pki.validity),
    )


def _other_authority(reactor: Any, settings: Settings) -> ExternalAuthority | None:
    pki = settings.pki
    if pki.authority == "own" or pki.organization is None:
        return None
    service = None
    if pki.url is not None:
        token = pki.token.get_secret_value() if pki.token is not None else None
        agent = Agent(reactor, connectTimeout=pki.timeout)
        service = Service(reactor, agent, pki.url, pki.timeout, token)
    return ExternalAuthority(deferToThread, pki.organization, _absolute(pki.roots), service)


def _join(feed: CommandFeed, commands: Commands, registry: Registry, memory: RequestMemory) -> None:
    """Let commands come by MQTT for the charge points that are held here."""
    mqtt_commands = MqttCommands(commands, feed, memory, utc_now)
    feed.take, feed.is_busy = mqtt_commands.take, lambda: mqtt_commands.is_busy
    registry.on_held, registry.on_released = feed.hold, feed.release
    commands.on_queued_result = mqtt_commands.queued_result


def _mqtt(
    settings: Settings, store: Store, counters: Counters, command_feed: CommandFeed | None
) -> tuple[ProtocolStream | None, Relay | None, MqttThread | None]:
    mqtt, gateway_id = settings.mqtt, settings.gateway.id
    if not mqtt.enabled:
        return None, None, None
    stream = ProtocolStream(gateway_id, counters, time.monotonic) if mqtt.protocol_events_enabled else None
    relay = None
    if mqtt.business_events_enabled:
        relay = Relay(store, time.monotonic, utc_now, counters, mqtt.qos)
    feeds: list[Feed] = [feed for feed in (relay, command_feed, stream) if feed is not None]
    topic = topics.gateway_status(gateway_id)
    client = MqttThread(
        Broker(
            host=mqtt.host,
            port=mqtt.port,
            client_id=mqtt.client_id or f"csms-{gateway_id}",
            username=mqtt.username,
            password=mqtt.password.get_secret_value() if mqtt.password is not None else None,
            tls=mqtt.tls,
            ca=_absolute(mqtt.ca),
            certificate=_absolute(mqtt.certificate),
            key=_absolute(mqtt.key),
            protocol=mqtt.protocol,
        ),
        feeds,
        birth=lambda: Retained(
            topic,
            business.encode(
                business.GatewayStatus(
                    online=True, gateway_id=gateway_id, version=csms.__version__, timestamp=utc_now()
                )
            ),
        ),
        will=Retained(topic, business.encode(business.GatewayStatus(online=False))),
        random=random.random,
        receiver=command_feed,
    )
    for feed in (relay, command_feed, stream):
        if feed is not None:
            feed.wake = client.wake
    return stream, relay, client


def _together(turn: Turn, stream: ProtocolStream | None, message_log: MessageLog) -> Callable[[ProtocolEvent], None]:
    """Return the way of protocol events to the stream, if there is one, and to the raw log."""

    def offer(events: list[ProtocolEvent]) -> None:
        if stream is not None:
            for event in events:
                try:
                    stream.offer(event)
                except Exception:  # noqa: BLE001 - whatever is wrong with one must not keep others from the stream
                    _log.failure("{client_id}: a protocol event was lost", client_id=event.client_id)
        for event in events:
            message_log.offer(event)

    return turn.batch(Stage.TOLD, offer).add


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path is not None else None


def _limits(settings: Settings) -> Limits:
    limits = settings.limits
    return Limits(
        message_bytes=limits.message_bytes,
        frame_bytes=limits.frame_bytes,
        handshake_timeout_s=limits.handshake_timeout,
        handshakes=limits.handshakes,
        connections_per_address=limits.connections_per_address,
        calls_per_second=limits.calls_per_second,
        calls_burst=limits.calls_burst,
        ping_interval_s=settings.ocpp.ping_interval,
        ping_timeout_s=settings.ocpp.ping_timeout,
    )


def _listeners(
    reactor: Any, settings: Settings, sockets: ChargePointFactory, tls: ChargePointTls | None, site: Site
) -> list[Listener]:
    listeners = [
        Listener(f"ocpp.listen {text}", _endpoint(reactor, text), sockets, sockets.gate)
        for text in settings.ocpp.listen
    ]
    if tls is not None:
        secured = TLSMemoryBIOFactory(tls, False, sockets)
        listeners += [
            Listener(f"tls.listen {text}", _endpoint(reactor, text), secured, sockets.gate)
            for text in settings.tls.listen
        ]
    text = settings.http.endpoint
    return [*listeners, Listener(f"http.listen {text}", _endpoint(reactor, text), site)]


def _endpoint(reactor: Any, text: str) -> IStreamServerEndpoint:
    """Return an endpoint whose backlog takes a whole fleet that comes back at once."""
    if text.startswith(("tcp:", "tcp6:")) and "backlog=" not in text:
        text += f":backlog={_BACKLOG}"
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except (ValueError, LookupError, TypeError) as error:
        raise SystemExit(f"csms: {text!r} is no server endpoint: {error}") from None
    return endpoint
