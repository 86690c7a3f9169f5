"""Hashes of passwords."""

import pytest
from argon2 import extract_parameters

from csms.passwords import hashing

SECRET = b"correct horse"


def test_a_password_belongs_to_its_hash_and_no_other_does():
    stored = hashing.make(SECRET)
    assert stored.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    assert hashing.matching(SECRET, [stored]) == stored
    assert hashing.matching(SECRET + b"!", [stored]) is None
    assert SECRET.decode() not in stored


def test_a_password_may_hold_any_bytes():
    secret = b"\xff\x00\n:" * 5
    assert hashing.matching(secret, [stored := hashing.make(secret)]) == stored


def test_two_hashes_of_one_password_differ_unless_one_is_made_like_the_other():
    first = hashing.make(SECRET)
    assert hashing.make(SECRET) != first
    assert hashing.make(SECRET, like=first) == first


def test_several_hashes_of_a_charge_point_cost_one_computation(monkeypatch):
    computed = []
    hash_secret = hashing.hash_secret
    monkeypatch.setattr(hashing, "hash_secret", lambda *arguments: computed.append(1) or hash_secret(*arguments))
    old = hashing.make(b"old one!")
    new = hashing.make(b"new one!", like=old)
    computed.clear()
    assert hashing.matching(b"new one!", [old, new]) == new
    assert hashing.matching(b"old one!", [old, new]) == old
    assert hashing.matching(b"neither!", [old, new]) is None
    assert len(computed) == 3
    assert hashing.matching(b"neither!", []) is None
    assert len(computed) == 4, "a charge point that is not known must cost the same"


def test_nobodys_hash_costs_what_one_of_a_password_costs():
    assert extract_parameters(hashing.nobodys()) == extract_parameters(hashing.make(SECRET))
    assert hashing.matching(SECRET, [hashing.nobodys()]) is None


@pytest.mark.parametrize("damaged", ["", "$", "nonsense", "$argon2id$v=19$m=19456,t=2,p=1$!$!", "$2b$12$abcdefgh"])
def test_a_damaged_hash_belongs_to_nobody_and_is_told(damaged, logged):
    assert hashing.matching(SECRET, [damaged]) is None
    assert any("damaged" in event["log_format"] for event in logged.events)
    assert hashing.matching(SECRET, hashing.make(SECRET, like=damaged).split(" "))


def test_damage_beside_a_sound_one_does_no_harm():
    stored = hashing.make(SECRET)
    assert hashing.matching(SECRET, ["nonsense", stored]) == stored
