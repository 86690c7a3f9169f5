"""Hypothesis state machines on a session, of each version: valid and broken frames in any order, commits that come or fail."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from csms.ocppj import codec, frames
from csms.ocppj.versions import V16, V21, V201, Version
from tests.fuzz.checked_session import CheckedSession, valid_call
from tests.fuzz.mutation import mutated
from tests.ocppj.strategies import json_values, objects

IDS = st.sampled_from(["a", "b", "c", "-1", "i" * 36]) | st.uuids().map(str)
SEEDS = st.integers(min_value=0, max_value=2**32)
KINDS = st.sampled_from([2, 2, 3, 4, 5, 6, 7, -1, 2.0, True, "2", None])
ANSWERS = st.sampled_from([[3], [4, "NotSupported", "no"], [3, "extra"], [4], [5, "FormatViolation", "", {}]])


class SessionMachine(RuleBasedStateMachine):
    """`CheckedSession` holds the invariants after each step."""

    version: Version = V16

    def __init__(self) -> None:
        super().__init__()
        self.session = CheckedSession(self.version)
        self.latest = b'[2,"1","Heartbeat",{}]'

    def _say(self, text: bytes) -> None:
        self.latest = text
        self.session.receive(text)

    @rule(message_id=IDS, seed=SEEDS)
    def says_something_valid(self, message_id: str, seed: int) -> None:
        self._say(valid_call(self.version, message_id, Random(seed)))

    @rule(count=st.integers(min_value=2, max_value=300), seed=SEEDS)
    def says_much_at_once(self, count: int, seed: int) -> None:
        text = valid_call(self.version, "flood", Random(seed))
        for _ in range(count):
            self._say(text)

    @rule()
    def says_the_same_again(self) -> None:
        self.session.receive(self.latest)

    @rule(seed=SEEDS)
    def says_something_like_it(self, seed: int) -> None:
        (text,) = mutated([self.latest], seed, 1)
        self.session.receive(text)

    @rule(kind=KINDS, message_id=IDS | st.integers() | st.none(), rest=st.lists(json_values, max_size=4))
    def says_something_of_the_wrong_form(self, kind: object, message_id: object, rest: list[Any]) -> None:
        # By the standard library: it writes numbers that ours refuses to.
        self.session.receive(json.dumps([kind, message_id, *rest]).encode())

    @rule(message_id=IDS, action=st.sampled_from(["", "Reset", "Nonsense", "Heartbeat"]), payload=objects)
    def says_something_of_the_wrong_content(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        self._say(frames.encode_call(message_id, action, payload))

    @rule(data=st.binary(max_size=64))
    def says_bytes(self, data: bytes) -> None:
        self.session.receive(data)

    @rule(answer=ANSWERS, number=st.integers(min_value=0, max_value=3), payload=objects)
    def answers(self, answer: list[Any], number: int, payload: dict[str, Any]) -> None:
        """Perhaps to the CALL that waits, perhaps to one that never was."""
        latest = self.session.numbers
        kind, *rest = answer
        self.session.receive(codec.dump([kind, f"ours{latest - number}", *rest, payload][:5]))

    @rule()
    def is_called(self) -> None:
        self.session.call()

    @rule(count=st.integers(min_value=1, max_value=20))
    def commits(self, count: int) -> None:
        for _ in range(count):
            self.session.commit()

    @rule()
    def a_commit_fails(self) -> None:
        self.session.fail_commit()

    @rule(seconds=st.sampled_from([1, 29, 31, 600]))
    def time_passes(self, seconds: int) -> None:
        self.session.advance(seconds)

    @rule()
    def comes_again(self) -> None:
        self.session.reconnect()

    def teardown(self) -> None:
        self.session.end()


class SessionMachine201(SessionMachine):
    version = V201


class SessionMachine21(SessionMachine):
    version = V21


MACHINES = (SessionMachine, SessionMachine201, SessionMachine21)
