"""The rules of the handshake (field notes, "Connection"; OCPP-J 1.6 §3): pure functions."""

import pytest

from csms.ocppj.versions import V16
from csms.websocket.handshake import Refusal, choose_version, identity, is_private, offered_subprotocols


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/ocpp/CP1", "CP1"),
        ("/ocpp/CP1?token=x/y", "CP1"),
        ("/ocpp/a+b", "a+b"),
        ("/ocpp/a%2Bb", "a+b"),
        ("/ocpp/a%2Fb", "a/b"),
        ("/ocpp/a%252Fb", "a%2Fb"),
        ("/ocpp/a%20b", "a b"),
        ("/ocpp/%23%25%3F", "#%?"),
        ("/ocpp/%F0%9F%94%8C", "🔌"),
        ("/ocpp/%F0%9F%94%8C" + "x" * 47, "🔌" + "x" * 47),
        ("/ocpp/" + "x" * 48, "x" * 48),
        ("/ocpp/..", ".."),
        ("/ocpp/%", "%"),
        ("/ocpp/%E2%80%AEx", "\u202ex"),
    ],
)
def test_identity(target, expected):
    """Split the raw path first, then decode once; `+` stays `+` (steve#5)."""
    assert identity(target, "/ocpp/") == expected


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/ocpp/", 404),
        ("/ocpp", 404),
        ("/", 404),
        ("/ocpp/?CP1", 404),
        ("/ocpp/a/b", 404),
        ("/ocpp/CP1/", 404),
        ("/other/CP1", 404),
        ("/OCPP/CP1", 404),
        ("/ocpp/" + "x" * 49, 400),
        ("/ocpp/" + "%F0%9F%94%8C" * 49, 400),
        ("/ocpp/a:b", 400),
        ("/ocpp/a%3Ab", 400),
        ("/ocpp/a%00b", 400),
        ("/ocpp/a%0Ab", 400),
        ("/ocpp/a%1Bb", 400),
        ("/ocpp/a%7Fb", 400),
        ("/ocpp/a%C2%85b", 400),
        ("/ocpp/a%E2%80%A8b", 400),
        ("/ocpp/a%EF%BF%BFb", 400),
        ("/ocpp/a%ED%A0%80b", 400),
        ("/ocpp/a%FFb", 400),
        ("/ocpp/caf\u00c3\u00a9", 400),
    ],
)
def test_no_identity(target, status):
    with pytest.raises(Refusal) as refused:
        identity(target, "/ocpp/")
    assert refused.value.status == status
    assert refused.value.reason


@pytest.mark.parametrize(
    ("header", "offered"),
    [
        (None, None),
        ("", []),
        (" , ,", []),
        ("ocpp1.6", ["ocpp1.6"]),
        (", ocpp1.6", ["ocpp1.6"]),
        ("ocpp1.6,ocpp1.6", ["ocpp1.6"]),
        ("ocpp1.5 ,ocpp1.6, ocpp1.5", ["ocpp1.5", "ocpp1.6"]),
    ],
)
def test_offer(header, offered):
    """Empty entries are ignored (OCPP.Core#91), duplicates are harmless."""
    assert offered_subprotocols(header) == offered


def test_version():
    assert choose_version(["ocpp1.5", "ocpp1.6"], allow_none=False) is V16
    assert choose_version(["ocpp1.5", "chat"], allow_none=False) is None
    assert choose_version(["ocpp1.5"], allow_none=True) is None
    assert choose_version([], allow_none=True) is V16


def test_no_subprotocol_is_refused_with_a_reason():
    """steve#1109, OCPP.Core#43."""
    with pytest.raises(Refusal) as refused:
        choose_version([], allow_none=False)
    assert refused.value.status == 400
    assert "ocpp1.6" in refused.value.reason


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.0.1", True),
        ("169.254.1.1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("::ffff:192.168.0.1", True),
        ("", True),
        ("172.32.0.1", False),
        ("93.184.216.34", False),
        ("::ffff:93.184.216.34", False),
        ("2606:4700::1", False),
    ],
)
def test_private_networks(address, private):
    assert is_private(address) is private
