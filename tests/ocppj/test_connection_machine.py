"""Both directions of a socket at once, against a model that is simple enough to be believed."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from csms.ocppj import codec, frames
from csms.ocppj import connection as rpc
from csms.ocppj.connection import (
    MAX_WAITING,
    Connection,
    Event,
    Queued,
    Refused,
    Repeated,
    Reply,
    ResultRefused,
    TooManyCalls,
)
from csms.ocppj.frames import Call, Send
from csms.ocppj.versions import V16, V21

IDS = st.sampled_from(["a", "b", "c"])
PAYLOADS = st.sampled_from([{}, {"x": 1}])
OURS = st.integers(min_value=0, max_value=5)


class Conversation(RuleBasedStateMachine):
    """The model: what was received in order, what was answered, and the queue of our own CALLs."""

    version = V16

    def __init__(self) -> None:
        super().__init__()
        self.connection = Connection(self.version)
        self.in_hand: bytes | None = None
        self.waiting: deque[bytes] = deque()
        self.answers: deque[tuple[bytes, bytes]] = deque(maxlen=rpc.REMEMBERED_ANSWERS)
        self.answered = 0
        self.begun: list[str] = []
        self.ours: list[str] = []
        self.sent = False
        self.numbers = 0

    # The charge point's side.

    @rule(message_id=IDS, payload=PAYLOADS)
    def charge_point_calls(self, message_id: str, payload: dict[str, int]) -> None:
        text = frames.encode_call(message_id, "Heartbeat", payload)
        event = self.connection.receive(text)
        if self.in_hand is None:
            self._expect_begun(text, event)
        elif len(self.waiting) < MAX_WAITING:
            self.waiting.append(text)
            assert event == Queued(full=len(self.waiting) == MAX_WAITING)
        else:
            assert type(event) is Refused

    @rule(count=st.integers(min_value=200, max_value=300))
    @precondition(lambda self: self.in_hand is not None)
    def charge_point_floods(self, count: int) -> None:
        for _ in range(count):
            self.charge_point_calls("flood", {})
        assert self.connection.waiting <= MAX_WAITING

    @rule(refused=st.booleans())
    @precondition(lambda self: self.in_hand is not None)
    def we_answer(self, refused: bool) -> None:
        self.answered += 1
        answer = (frames.ERROR if refused else b"[3,") + b"%d]" % self.answered
        assert self.in_hand is not None
        if not refused:
            self.answers.append((self.in_hand, answer))
        self.in_hand = None
        event: Call | Repeated | None = self.connection.answer(answer)
        while self.waiting:
            self._expect_begun(self.waiting.popleft(), event)
            if type(event) is Call:
                return
            event = self.connection.next()
        assert event is None

    def _expect_begun(self, text: bytes, event: Event | None) -> None:
        """The same text as one of the latest that had a result is answered alike; everything else is a new CALL."""
        remembered = dict(reversed(self.answers)).get(text)
        if remembered is not None:
            assert type(event) is Repeated
            assert (event.call.raw, event.text) == (text, remembered)
        else:
            assert type(event) is Call
            assert event.raw == text
            self.in_hand = text
            self.begun.append(event.message_id)

    @rule(text=st.sampled_from([b"nonsense", b"[]", b'[9,"a"]', b'[2,"a"]', b'[3,"a",[]]', b'[2,7,"Heartbeat",{}]']))
    def charge_point_sends_no_frame(self, text: bytes) -> None:
        assert type(self.connection.receive(text)) is Refused

    # Ours.

    @rule()
    def we_call(self) -> None:
        self.numbers += 1
        message_id = f"ours {self.numbers}"
        if len(self.ours) - self.sent >= MAX_WAITING:
            with pytest.raises(TooManyCalls):
                self.connection.call(message_id, "ClearCache", {})
            return
        text = self.connection.call(message_id, "ClearCache", {})
        assert text == (None if self.ours else frames.encode_call(message_id, "ClearCache", {}))
        self.sent = self.sent or not self.ours
        self.ours.append(message_id)

    @rule(count=st.integers(min_value=200, max_value=300))
    def we_call_in_a_burst(self, count: int) -> None:
        for _ in range(count):
            self.we_call()

    @rule()
    def we_go_on(self) -> None:
        following = self.connection.next_call()
        if self.ours and not self.sent:
            assert following == (self.ours[0], frames.encode_call(self.ours[0], "ClearCache", {}))
            self.sent = True
        else:
            assert following is None

    @rule(error=st.booleans())
    @precondition(lambda self: self.sent)
    def charge_point_answers(self, error: bool) -> None:
        message_id = self.ours.pop(0)
        self.sent = False
        text = frames.encode_error(message_id, "GenericError", "") if error else frames.encode_result(message_id, {})
        event = self.connection.receive(text)
        assert type(event) is Reply
        assert (event.action, event.frame.message_id) == ("ClearCache", message_id)

    @rule(index=OURS)
    def charge_point_answers_out_of_turn(self, index: int) -> None:
        message_id = self.ours[index] if index < len(self.ours) else "never sent"
        if not (self.sent and index == 0 and self.ours):
            assert type(self.connection.receive(frames.encode_result(message_id, {}))) is Refused

    @rule(index=OURS)
    def a_call_of_ours_expires(self, index: int) -> None:
        message_id = self.ours[index] if index < len(self.ours) else "never sent"
        self.connection.expire(message_id)
        if message_id in self.ours:
            self.sent = self.sent and index != 0
            self.ours.remove(message_id)

    @invariant()
    def both_agree(self) -> None:
        assert self.connection.busy == (self.in_hand is not None)
        assert self.connection.waiting == len(self.waiting)
        assert self.connection.outstanding == (self.ours[0] if self.sent else None)


class Conversation21(Conversation):
    """The same with what 2.1 adds: a SEND and the refusal of an answer, which change nothing for all the others."""

    version = V21

    @rule(message_id=IDS, payload=PAYLOADS)
    def charge_point_sends(self, message_id: str, payload: dict[str, int]) -> None:
        text = codec.dump([frames.SEND, message_id, "NotifyPeriodicEventStream", payload])
        assert self.connection.receive(text) == Send(message_id, "NotifyPeriodicEventStream", payload, text)

    @rule(message_id=IDS)
    def charge_point_refuses_an_answer(self, message_id: str) -> None:
        text = frames.encode_result_error(message_id, "FormatViolation", "no")
        event = self.connection.receive(text)
        latest = list(dict.fromkeys(reversed(self.begun)))[: rpc.REMEMBERED_ANSWERS]
        if message_id in latest:
            assert type(event) is ResultRefused
            assert (event.action, event.frame.message_id) == ("Heartbeat", message_id)
        else:
            assert type(event) is Refused
            assert event.text is None


Conversation.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestConversation = Conversation.TestCase
Conversation21.TestCase.settings = Conversation.TestCase.settings
TestConversation21 = Conversation21.TestCase
