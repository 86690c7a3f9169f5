"""Topics: whatever an identity holds, it is one level, it is its own, and no broker stumbles over it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.events import topics
from csms.events.business import BusinessEvent, Connected, OrphanStop, Payload, SecurityEvent, Started

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
POISON = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")
MAX_IDENTITY = 48
identities = st.text(min_size=1, max_size=MAX_IDENTITY)
"""Of any characters, lone surrogates too: the handshake refuses some, topics must not rely on that."""


def is_non_character(character: str) -> bool:
    return ord(character) & 0xFFFE == 0xFFFE


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("CP-1.a_b~2", "CP-1.a_b~2"),
        ("a/b", "a%2Fb"),
        ("a+b", "a%2Bb"),
        ("a#b", "a%23b"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("$SYS", "%24SYS"),
        ("a b", "a%20b"),
        ("a\u00a0b\u3000c", "a%C2%A0b%E3%80%80c"),
        ("a\nb\x1b\x7f", "a%0Ab%1B%7F"),
        ("\0", "%00"),
        ("\u0085", "%C2%85"),
        ("säule-é", "säule-é"),
        ("🔌", "🔌"),
        ("\uffff", "%EF%BF%BF"),
        ("\ufffe", "%EF%BF%BE"),
        ("\ufdd0", "%EF%B7%90"),
        ("\U0001ffff", "%F0%9F%BF%BF"),
        ("\U0010fffe", "%F4%8F%BF%BE"),
        ("\ufffd", "\ufffd"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_reserved_characters_are_percent_encoded_and_others_stay(text: str, level: str) -> None:
    assert topics.level(text) == level


@given(identities)
def test_a_level_holds_nothing_that_a_broker_refuses(identity: str) -> None:
    level = topics.level(identity)
    assert level
    assert not set("+#/$\0 ") & set(level)
    assert not POISON.search(level)
    assert not any(map(is_non_character, level))
    assert len(level.encode("utf-8")) <= 1024


@given(identities)
def test_the_identity_can_be_read_back_so_no_two_share_a_level(identity: str) -> None:
    assert unquote(topics.level(identity), errors="surrogatepass") == identity


@given(st.lists(st.text(st.sampled_from("ab%/+#$ 2F5\x00é\uffff"), min_size=1, max_size=6), unique=True, min_size=2))
def test_identities_that_look_alike_stay_apart(identities: list[str]) -> None:
    assert len({topics.level(identity) for identity in identities}) == len(identities)


@pytest.mark.parametrize("text", ["x" * 5000, "é" * 5000, "🔌" * 5000, "/" * 5000])
def test_a_very_long_text_is_cut_to_valid_utf8(text: str) -> None:
    level = topics.level(text)
    assert 1000 < len(level.encode("utf-8")) <= 1024


def test_nothing_at_all_is_still_a_level() -> None:
    assert topics.level("") not in ("", "+", "#")


def event(event_type: str, payload: Payload, client_id: str = "CP 1") -> BusinessEvent:
    return BusinessEvent(
        timestamp=NOW,
        client_id=client_id,
        event_type=event_type,
        event_id="x",
        payload=payload,
        sequence=1,
        gateway_id="gw",
        causation_id=None,
    )


STARTED = Started(transaction_id=1, connector_id=1, id_tag="T", meter_start=0, start_time=NOW)


@pytest.mark.parametrize(
    ("business_event", "topic"),
    [
        (event("started", STARTED), "csms/transactions/CP%201/started"),
        (event("connected", Connected(version="1.6")), "csms/chargepoints/CP%201/connected"),
        (
            event("orphan_stop", OrphanStop(transaction_id=0, stop_time=NOW, meter_stop=0)),
            "csms/transactions/CP%201/orphan_stop",
        ),
        (event("FirmwareUpdated", SecurityEvent(timestamp=NOW)), "csms/security/CP%201/FirmwareUpdated"),
    ],
)
def test_the_topic_of_a_business_event(business_event: BusinessEvent, topic: str) -> None:
    assert topics.business(business_event) == topic


@pytest.mark.parametrize(
    "name", ["started", "completed", "session_cost", "connected", "#", "a/b", "+", "../x", "\uffff"]
)
def test_a_security_event_stays_a_security_topic_whatever_its_name(name: str) -> None:
    topic = topics.business(event(topics.level(name), SecurityEvent(timestamp=NOW)))
    assert re.fullmatch(r"csms/security/CP%201/[^/+#\uffff]+", topic)


def test_the_other_topics() -> None:
    assert topics.state("a/b") == "csms/state/a%2Fb"
    assert topics.gateway_status("gw/1") == "csms/gateways/gw%2F1/status"
    assert topics.protocol_message("a b", "Heartbeat") == "ocpp/messages/a%20b/Heartbeat"
    assert topics.protocol_response("a b", "#") == "ocpp/responses/a%20b/%23"
