"""The client's reads: sent when, sent again when, and what each ticket is told."""

from __future__ import annotations

from psmr.core.reply import BatchStatus, encode_reply, parse_reply
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
    SendRead,
    Submit,
    SubmitRead,
    TimePassed,
)

LIMITS = Limits(window_batches=3, queue_batches=4, queue_bytes=1_000, retry_us=100, retry_us_max=400, pause_us=10)
SESSION = 65_536
LATE_US = 1_000


class Reader:
    """A submission with the time filled in, whose effects read as short texts."""

    def __init__(self) -> None:
        self.submission: Submission[str] = Submission(LIMITS, lambda: 71)
        self.now_us = 0

    def handle(self, event: Event[str]) -> list[str]:
        effects = self.submission.handle(event)
        self.submission.validate()
        return [shown(effect) for effect in effects]

    def connect(self, window: int = 3) -> list[str]:
        return self.handle(Connected(window, self.now_us))

    def read(self, *tickets: str, deadline_us: int = LATE_US, size_bytes: int = 8) -> list[str]:
        parts = Parts(bytes(size_bytes), 1, b"")
        return [text for one in tickets for text in self.handle(SubmitRead(one, parts, deadline_us, self.now_us))]

    def write(self, *tickets: str, deadline_us: int = LATE_US) -> list[str]:
        parts = Parts(bytes(8), 1, b"")
        return [text for one in tickets for text in self.handle(Submit(one, parts, deadline_us, self.now_us))]

    def reply(self, status: BatchStatus, sequence: int, blob: bytes = b"") -> list[str]:
        reply = parse_reply(encode_reply(SESSION, sequence, status, blob=blob))
        return self.handle(ReplyReceived(reply, self.now_us))

    def answered(self, number: int) -> list[str]:
        return self.reply(BatchStatus.READ, number)

    def wait(self, us: int) -> list[str]:
        self.now_us += us
        return self.handle(TimePassed(self.now_us))

    def with_session(self) -> Reader:
        self.connect()
        self.write("first")
        self.reply(BatchStatus.OPENED, 71)
        assert self.reply(BatchStatus.EXECUTED, 1) == ["first resolved"]
        return self


def shown(effect: Effect[str]) -> str:
    if isinstance(effect, SendRead):
        return f"read {effect.number} after {effect.sequence}" + ("" if effect.session else " without session")
    if isinstance(effect, SendBatch):
        return f"batch {effect.sequence}"
    if isinstance(effect, SendOpen):
        return "open"
    if isinstance(effect, Resolve):
        return f"{effect.ticket} resolved"
    if isinstance(effect, Rotate):
        return f"rotate after {effect.silent_us}"
    assert isinstance(effect, Fail)
    return f"{effect.ticket} {effect.kind.value}"


def test_a_client_that_only_reads_needs_no_session() -> None:
    client = Reader()
    assert client.read("a") == []
    assert client.connect() == ["read 1 after 0 without session"]
    assert client.answered(1) == ["a resolved"]
    assert client.submission.next_timer_us is None or client.submission.next_timer_us == LATE_US


def test_replies_may_come_in_any_order_and_twice() -> None:
    client = Reader()
    client.connect()
    assert client.read("a", "b") == ["read 1 after 0 without session", "read 2 after 0 without session"]
    assert client.answered(2) == ["b resolved"]
    assert client.answered(2) == []
    assert client.answered(1) == ["a resolved"]
    assert client.submission.pending == 0


def test_reads_have_a_window_of_their_own() -> None:
    client = Reader().with_session()
    client.write("x", "y", "z")
    assert not client.submission.window_has_room
    assert client.submission.read_window_has_room
    assert client.read("a", "b", "c", "d") == ["read 1 after 4", "read 2 after 4", "read 3 after 4"]
    assert not client.submission.read_window_has_room
    assert client.answered(2) == ["b resolved", "read 4 after 4"]


def test_a_read_names_the_newest_batch_before_it_that_is_not_answered() -> None:
    client = Reader().with_session()
    assert client.read("a") == ["read 1 after 0"]
    assert client.write("x", "y") == ["batch 2", "batch 3"]
    assert client.read("b") == ["read 2 after 3"]
    client.reply(BatchStatus.EXECUTED, 3)
    assert client.read("c") == ["read 3 after 2"]
    client.handle(Disconnected())
    assert client.connect() == ["batch 2", "read 1 after 0", "read 2 after 2", "read 3 after 2"]


def test_a_read_waits_until_the_batches_before_it_were_sent_and_not_for_later_ones() -> None:
    client = Reader().with_session()
    client.write("x", "y", "z", "queued")
    assert client.read("a") == []
    assert client.write("later") == []
    assert client.reply(BatchStatus.EXECUTED, 2) == ["x resolved", "batch 5", "read 1 after 5"]


def test_a_refused_read_is_sent_again_after_a_pause() -> None:
    client = Reader()
    client.connect()
    client.read("a")
    assert client.reply(BatchStatus.READ_REFUSED, 1, b"busy") == []
    assert client.submission.next_timer_us == 10
    assert client.wait(9) == []
    assert client.wait(1) == ["read 1 after 0 without session"]
    assert client.answered(1) == ["a resolved"]


def test_a_silent_replica_is_left_and_the_reads_go_to_the_next() -> None:
    client = Reader()
    client.connect()
    client.read("a")
    assert client.wait(99) == []
    assert client.wait(1) == ["rotate after 100"]
    assert client.connect() == ["read 1 after 0 without session"]
    assert client.wait(199) == []
    assert client.wait(1) == ["rotate after 200"]


def test_answered_writes_do_not_hide_that_reads_are_not() -> None:
    client = Reader().with_session()
    client.read("a")
    for sequence in range(2, 5):
        client.write("x")
        client.now_us += 30
        client.reply(BatchStatus.EXECUTED, sequence)
    assert client.wait(10) == ["rotate after 100"]


def test_a_read_never_has_an_unknown_outcome() -> None:
    client = Reader()
    client.connect()
    client.read("sent", deadline_us=50)
    assert client.wait(50) == ["sent unavailable"]
    assert client.submission.next_timer_us is None
    assert client.answered(1) == []
    client.read("refused", deadline_us=100)
    client.reply(BatchStatus.READ_REFUSED, 2)
    assert client.wait(50) == ["refused refused"]
    client.read("closed")
    assert client.handle(Closed()) == ["closed unavailable"]


def test_a_read_that_is_malformed_is_the_callers_fault_and_costs_no_session() -> None:
    client = Reader().with_session()
    client.write("x")
    client.read("a")
    assert client.reply(BatchStatus.READ_MALFORMED, 1, b"row 0") == ["a invalid"]
    assert client.reply(BatchStatus.EXECUTED, 2) == ["x resolved"]


def test_a_lost_session_leaves_reads_alone() -> None:
    client = Reader().with_session()
    client.write("x")
    assert client.read("a") == ["read 1 after 2"]
    assert client.reply(BatchStatus.UNKNOWN_SESSION, 2) == ["x unknown"]
    assert client.answered(1) == ["a resolved"]


def test_a_read_is_not_held_up_by_a_batch_that_was_given_up() -> None:
    client = Reader().with_session()
    client.write("x", deadline_us=20)
    assert client.wait(20) == ["x unknown"]
    assert client.read("a") == ["read 1 after 0"]


def test_more_reads_than_the_queue_holds_are_refused() -> None:
    client = Reader()
    assert client.read("a", "b", "c", "d") == []
    assert not client.submission.has_room
    assert client.read("e") == [f"e {FailureKind.REFUSED.value}"]
    client.connect()
    assert client.submission.has_room
