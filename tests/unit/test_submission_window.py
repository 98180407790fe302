"""The client's window: what is sent when, what is sent again, and what each ticket is told."""

from __future__ import annotations

import dataclasses
from itertools import count

import pytest

from psmr.core.reply import SEQUENCE_CONSUMED, SEQUENCE_UNUSED, BatchStatus, encode_reply, parse_reply
from psmr.core.submission import Limits, Submission
from psmr.core.submission_events import (
    Closed,
    Connected,
    Disconnected,
    Effect,
    Event,
    Fail,
    FailureKind,
    Parts,
    ReplyReceived,
    Resolve,
    Rotate,
    SendBatch,
    SendOpen,
    Submit,
    TimePassed,
)
from psmr.errors import ConfigurationError

LIMITS = Limits(window_batches=3, queue_batches=4, queue_bytes=1_000, retry_us=100, retry_us_max=400, pause_us=10)
SESSION = 65_536
LATE_US = 1_000


class Client:
    """A submission with the time filled in, whose effects read as short texts."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        nonces = count(71)
        self.submission: Submission[str] = Submission(limits, lambda: next(nonces))
        self.now_us = 0
        self.sent: list[SendBatch] = []

    def handle(self, event: Event[str]) -> list[str]:
        effects = self.submission.handle(event)
        self.submission.validate()
        self.sent += [effect for effect in effects if isinstance(effect, SendBatch)]
        return [shown(effect) for effect in effects]

    def connect(self, window: int = 3) -> list[str]:
        return self.handle(Connected(window, self.now_us))

    def submit(self, *tickets: str, deadline_us: int = LATE_US, size_bytes: int = 8) -> list[str]:
        parts = Parts(bytes(size_bytes), 1, b"")
        return [text for ticket in tickets for text in self.handle(Submit(ticket, parts, deadline_us, self.now_us))]

    def reply(
        self, status: BatchStatus, sequence: int, session: int = SESSION, blob: bytes = b"", detail: int = 0
    ) -> list[str]:
        reply = parse_reply(encode_reply(session, sequence, status, blob=blob, detail=detail))
        return self.handle(ReplyReceived(reply, self.now_us))

    def executed(self, sequence: int, session: int = SESSION) -> list[str]:
        return self.reply(BatchStatus.EXECUTED, sequence, session)

    def opened(self, session: int = SESSION, nonce: int = 71) -> list[str]:
        return self.reply(BatchStatus.OPENED, nonce, session)

    def wait(self, us: int) -> list[str]:
        self.now_us += us
        return self.handle(TimePassed(self.now_us))


def shown(effect: Effect[str]) -> str:
    if isinstance(effect, SendOpen):
        return f"open {effect.nonce}"
    if isinstance(effect, SendBatch):
        return f"send {effect.sequence}"
    if isinstance(effect, Resolve):
        return f"resolve {effect.ticket}"
    if isinstance(effect, Fail):
        return f"fail {effect.ticket} {effect.kind.value}"
    assert isinstance(effect, Rotate)
    return f"rotate after {effect.silent_us}"


def ready(*tickets: str, limits: Limits = LIMITS) -> Client:
    """A client with a session and these tickets submitted."""
    client = Client(limits)
    client.connect()
    assert client.submit("first") == ["open 71"]
    assert client.opened() == ["send 1"]
    assert client.executed(1) == ["resolve first"]
    client.submit(*tickets)
    return client


def test_the_session_is_opened_when_there_is_something_to_send() -> None:
    client = Client()
    assert client.connect() == []
    assert client.submit("a", "b") == ["open 71"]
    assert client.opened(nonce=70) == []  # of another opening
    assert client.opened() == ["send 1", "send 2"]
    assert client.opened(session=2 * SESSION) == []  # a duplicate of the open made a second session


def test_the_window_bounds_what_is_in_flight_and_slides() -> None:
    client = ready("a", "b", "c", "d", "e")
    assert [send.sequence for send in client.sent] == [1, 2, 3, 4]
    assert client.executed(3) == ["resolve b"]  # out of turn: the window is a span and does not slide
    assert not client.submission.window_has_room
    assert client.executed(2) == ["resolve a", "send 5", "send 6"]
    assert [(send.sequence, send.answered) for send in client.sent[-2:]] == [(5, 3), (6, 3)]
    assert client.executed(3) == []


def test_the_replica_may_allow_fewer() -> None:
    client = ready()
    client.handle(Disconnected())
    client.connect(window=1)
    assert client.submit("a", "b") == ["send 2"]
    assert client.executed(2) == ["resolve a", "send 3"]


@pytest.mark.parametrize("size_bytes", [8, 600])
def test_a_full_queue_refuses(size_bytes: int) -> None:
    client = Client()
    fitting = 4 if size_bytes == 8 else 2
    assert client.submit(*"abcd"[:fitting], size_bytes=size_bytes) == []
    assert not client.submission.has_room
    assert client.submit("z") == ["fail z refused"]
    assert client.submission.pending == fitting


def test_one_lost_batch_costs_one_window_whatever_number_of_replies_says_so() -> None:
    client = ready("a", "b", "c")
    assert client.reply(BatchStatus.OUT_OF_ORDER, 2) == ["send 2", "send 3", "send 4"]
    assert client.reply(BatchStatus.OUT_OF_ORDER, 2) == []
    assert client.reply(BatchStatus.OUT_OF_ORDER, 3) == ["send 3", "send 4"]
    assert client.reply(BatchStatus.OUT_OF_ORDER, 2) == []
    assert client.reply(BatchStatus.OUT_OF_ORDER, 1) == []
    assert client.reply(BatchStatus.OUT_OF_ORDER, 9) == []
    assert client.reply(BatchStatus.OUT_OF_ORDER, 4, session=SESSION + 1) == []


def test_a_new_connection_gets_everything_unanswered() -> None:
    client = ready("a", "b", "c")
    assert client.executed(2) == ["resolve a"]
    assert client.handle(Disconnected()) == []
    assert client.submit("d") == []
    assert client.connect() == ["send 3", "send 4", "send 5"]
    assert client.reply(BatchStatus.OUT_OF_ORDER, 3) == ["send 3", "send 4", "send 5"]


def test_silence_rotates_and_is_given_more_time_each_time() -> None:
    client = ready("a")
    assert client.submission.next_timer_us == 100
    assert client.wait(99) == []
    assert client.wait(1) == ["rotate after 100"]
    assert client.submit("b") == []
    assert client.connect() == ["send 2", "send 3"]
    assert client.wait(199) == []
    assert client.wait(1) == ["rotate after 200"]
    client.connect()
    assert client.wait(400) == ["rotate after 400"]
    client.connect()
    assert client.executed(2) == ["resolve a"]  # progress: patience starts anew
    assert client.submission.next_timer_us == client.now_us + 100


def test_nothing_in_flight_waits_for_nothing() -> None:
    client = ready()
    assert client.wait(LATE_US) == []
    assert client.submission.next_timer_us is None


def test_an_open_that_is_lost_is_asked_for_again_with_the_same_nonce() -> None:
    client = Client()
    client.connect()
    assert client.submit("a") == ["open 71"]
    assert client.wait(100) == ["rotate after 100"]
    assert client.connect() == ["open 71"]
    assert client.opened() == ["send 1"]


def test_an_open_outlives_the_ticket_that_caused_it() -> None:
    client = Client()
    client.connect()
    assert client.submit("a", deadline_us=50) == ["open 71"]
    assert client.wait(50) == ["fail a unavailable"]
    assert client.submit("b") == []
    assert client.wait(50) == ["rotate after 100"]
    assert client.connect() == ["open 71"]
    assert client.opened() == ["send 1"]


def test_a_refused_batch_goes_again_after_a_pause_with_all_behind_it() -> None:
    client = ready("a", "b")
    assert client.reply(BatchStatus.REFUSED, 2) == []
    assert client.reply(BatchStatus.OUT_OF_ORDER, 2) == []
    assert client.submit("c") == []
    assert client.submission.next_timer_us == 10
    assert client.wait(10) == ["send 2", "send 3", "send 4"]
    assert client.reply(BatchStatus.REFUSED, 2) == []
    assert client.wait(19) == []
    assert client.wait(1) == ["send 2", "send 3", "send 4"]


def test_a_replica_that_only_refuses_is_left() -> None:
    client = ready("a")
    for _ in range(3):
        client.reply(BatchStatus.REFUSED, 2)
        client.wait(30)
    assert client.wait(10) == ["rotate after 100"]


def test_a_refused_open_goes_again_after_a_pause() -> None:
    client = Client()
    client.connect()
    client.submit("a")
    assert client.reply(BatchStatus.REFUSED, 0, session=71) == []
    assert client.wait(10) == ["open 71"]


def test_a_deadline_tells_sent_from_never_sent_and_the_sent_is_pushed_on() -> None:
    client = ready("a", "b", "c", "d")
    client.now_us = LATE_US - 100
    assert client.wait(100) == [
        "fail c unknown",
        "fail b unknown",
        "fail a unknown",
        "fail d unavailable",
        "rotate after 100",
    ]
    assert client.submission.pending == 0
    assert client.submit("e", deadline_us=2 * LATE_US) == []
    assert client.connect() == ["send 2", "send 3", "send 4"]
    assert client.executed(2) == ["send 5"]  # nobody is told of 2; the session goes on
    assert client.executed(5) == ["resolve e"]


def test_only_the_newest_refused_sequences_are_taken_back() -> None:
    client = ready("a", "b", "c")
    for sequence in (2, 4, 3):
        client.reply(BatchStatus.REFUSED, sequence)
    assert client.handle(TimePassed(LATE_US))[:3] == ["fail c refused", "fail b refused", "fail a refused"]
    client.now_us = LATE_US
    assert client.submit("d", deadline_us=2 * LATE_US) == ["send 2"]


def test_a_refused_sequence_that_another_stands_on_is_unknown() -> None:
    client = ready("a", "b")
    client.reply(BatchStatus.REFUSED, 2)
    assert client.handle(TimePassed(LATE_US))[:2] == ["fail b unknown", "fail a unknown"]


def test_a_refusal_answers_one_attempt_only() -> None:
    client = ready("a")
    client.handle(Disconnected())
    assert client.connect() == ["send 2"]
    client.reply(BatchStatus.REFUSED, 2)
    assert "fail a unknown" in client.handle(TimePassed(LATE_US))


def test_a_lost_session_is_replaced_and_what_was_sent_is_unknown() -> None:
    client = ready("a", "b", "c", "d")
    assert client.executed(2) == ["resolve a", "send 5"]
    client.reply(BatchStatus.REFUSED, 5)
    client.wait(0)
    assert client.reply(BatchStatus.UNKNOWN_SESSION, 3) == ["fail c unknown", "fail b unknown"]
    assert client.wait(10) == ["open 72"]
    assert client.opened(2 * SESSION, nonce=72) == ["send 1"]
    assert client.executed(1, session=SESSION) == []  # a late reply of the old session is not the new one's
    assert client.executed(1, session=2 * SESSION) == ["resolve d"]


def test_who_gave_up_is_not_told_again_when_the_session_is_lost() -> None:
    client = ready("a", "b")
    client.handle(TimePassed(LATE_US))
    client.connect()
    assert client.reply(BatchStatus.UNKNOWN_SESSION, 2) == []
    assert client.submission.pending == 0


def test_a_malformed_batch_whose_sequence_was_used_up_fails_alone() -> None:
    client = ready("a", "b")
    assert client.reply(BatchStatus.MALFORMED, 2, blob=b"why", detail=SEQUENCE_CONSUMED) == ["fail a invalid"]
    assert client.executed(3) == ["resolve b"]


def test_a_malformed_batch_whose_sequence_was_not_used_leaves_a_hole_and_the_session_is_left() -> None:
    client = ready("a", "b", "c", "d")
    failed = client.reply(BatchStatus.MALFORMED, 2, blob=b"why", detail=SEQUENCE_UNUSED)
    assert failed == ["fail a invalid", "fail c unknown", "fail b unknown", "open 72"]
    assert client.opened(2 * SESSION, nonce=72) == ["send 1"]


def test_a_malformed_open_fails_what_waits_for_it() -> None:
    client = Client()
    client.connect()
    client.submit("a", "b")
    assert client.reply(BatchStatus.MALFORMED, 0, session=71, blob=b"why") == ["fail a invalid", "fail b invalid"]
    assert client.wait(LATE_US) == []
    assert client.submit("c", deadline_us=2 * LATE_US) == ["open 72"]


def test_closing_tells_everyone() -> None:
    client = ready("a", "b", "c", "d")
    client.reply(BatchStatus.REFUSED, 4)
    assert client.handle(Closed()) == ["fail b unknown", "fail a unknown", "fail c unavailable", "fail d unavailable"]
    assert client.submission.pending == 0
    assert client.submission.next_timer_us is None


def test_the_reason_reaches_the_caller() -> None:
    submission: Submission[str] = Submission(LIMITS, lambda: 1)
    submission.handle(Submit("a", Parts(bytes(8), 1, b""), 5, 0))
    (failed,) = submission.handle(TimePassed(5))
    assert failed == Fail("a", FailureKind.UNAVAILABLE, "no replica took it before its deadline")


@pytest.mark.parametrize(
    "change",
    [{"window_batches": 0}, {"window_batches": 1_025}, {"queue_batches": 0}, {"retry_us": 0}, {"retry_us": 401}],
)
def test_limits_that_make_no_sense_are_named(change: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        dataclasses.replace(LIMITS, **change)
