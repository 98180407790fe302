"""What the replicated sessions decide at delivery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmr.core.sessions import (
    Duplicate,
    Event,
    Execute,
    Executed,
    Kept,
    Open,
    Opened,
    OutOfOrder,
    Refused,
    Sessions,
    Submit,
    Unknown,
)
from psmr.errors import Violation

FIRST = 5 * 65_536


def opened(capacity: int = 4, kept_replies: int = 3) -> Sessions:
    sessions = Sessions(capacity, kept_replies)
    assert sessions.handle(Open(5, 0)) == Opened(FIRST, None)
    return sessions


def test_a_session_is_named_after_its_place_in_the_log() -> None:
    sessions = opened()
    assert sessions.handle(Open(5, 1)) == Opened(FIRST + 1, None)
    assert sessions.handle(Open(7, 65_535)) == Opened(7 * 65_536 + 65_535, None)
    assert FIRST + 1 in sessions
    assert len(sessions) == 3


@pytest.mark.parametrize("event", [Open(5, 0), Open(4, 9), Open(6, 65_536), Open(6, -1)])
def test_an_open_that_cannot_be_next_stops_the_replica(event: Open) -> None:
    with pytest.raises(Violation):
        opened().handle(event)


def test_sequences_are_executed_one_after_another() -> None:
    sessions = opened()
    assert sessions.handle(Submit(FIRST, 2, 0)) == OutOfOrder(1)
    assert sessions.handle(Submit(FIRST, 1, 0)) == Execute()
    assert sessions.handle(Submit(FIRST, 3, 0)) == OutOfOrder(2)
    assert sessions.handle(Submit(FIRST, 2, 0)) == Execute()


def test_a_duplicate_gets_the_kept_reply_until_it_is_answered() -> None:
    sessions = opened()
    sessions.handle(Submit(FIRST, 1, 0))
    assert sessions.handle(Submit(FIRST, 1, 0)) == Duplicate(None, executing=True)
    assert sessions.handle(Executed(FIRST, 1, b"one")) == Kept(True)
    assert sessions.handle(Submit(FIRST, 1, 0)) == Duplicate(b"one", executing=False)
    assert sessions.handle(Submit(FIRST, 2, 1)) == Execute()
    assert sessions.handle(Submit(FIRST, 1, 0)) == Duplicate(None, executing=False)


def test_what_was_answered_before_it_was_executed_here_is_not_kept() -> None:
    sessions = opened()
    sessions.handle(Submit(FIRST, 1, 0))
    sessions.handle(Submit(FIRST, 2, 1))
    assert sessions.handle(Executed(FIRST, 1, b"one")) == Kept(False)
    sessions.validate()


def test_a_client_cannot_have_been_answered_what_was_never_executed() -> None:
    sessions = opened()
    sessions.handle(Submit(FIRST, 1, 0))
    assert sessions.handle(Submit(FIRST, 9, 8)) == OutOfOrder(2)
    sessions.validate()
    assert sessions.handle(Submit(FIRST, 2, 0)) == Execute()


def test_no_more_replies_are_owed_than_are_kept() -> None:
    sessions = opened(kept_replies=3)
    for sequence in (1, 2, 3):
        assert sessions.handle(Submit(FIRST, sequence, 0)) == Execute()
    assert sessions.handle(Submit(FIRST, 4, 0)) == Refused(3)
    assert sessions.handle(Submit(FIRST, 4, 1)) == Execute()


def test_the_session_used_least_recently_is_evicted() -> None:
    sessions = opened(capacity=2)
    second = sessions.handle(Open(6, 0))
    assert isinstance(second, Opened)
    sessions.handle(Submit(FIRST, 9, 0))  # out of order, but a use
    assert sessions.handle(Open(7, 0)) == Opened(7 * 65_536, second.session)
    assert sessions.handle(Submit(second.session, 1, 0)) == Unknown()
    assert sessions.handle(Submit(FIRST, 1, 0)) == Execute()


def test_what_is_executed_after_its_session_went_is_not_kept() -> None:
    sessions = opened(capacity=1)
    sessions.handle(Submit(FIRST, 1, 0))
    sessions.handle(Open(6, 0))
    assert sessions.handle(Executed(FIRST, 1, b"one")) == Kept(False)


@pytest.mark.parametrize("sequence", [1, 2])
def test_executing_what_was_not_to_be_executed_stops_the_replica(sequence: int) -> None:
    sessions = opened()
    sessions.handle(Submit(FIRST, 1, 0))
    sessions.handle(Executed(FIRST, 1, b"one"))
    with pytest.raises(Violation):
        sessions.handle(Executed(FIRST, sequence, b"again"))


@pytest.mark.parametrize(
    "more",
    [
        [Submit(FIRST, 2, 0)],
        [Submit(FIRST, 1, 0), Submit(FIRST, 2, 1)],
        [Executed(FIRST, 1, b"other")],
        [Executed(FIRST, 1, b"one"), Open(8, 0)],
        [Submit(6 * 65_536, 9, 0)],
        [Submit(FIRST, 9, 0)],
    ],
)
def test_every_difference_shows_in_the_digest(more: list[Event]) -> None:
    def replica() -> Sessions:
        sessions = opened()
        for event in (Open(6, 0), Open(7, 0), Submit(FIRST, 1, 0)):
            sessions.handle(event)
        return sessions

    one, other = replica(), replica()
    assert one.digest() == other.digest()
    for event in more:
        other.handle(event)
    one.handle(Executed(FIRST, 1, b"one"))
    assert one.digest() != other.digest()


class Dumb:
    """The same rules, written to be obviously right for one client that never says what was answered."""

    def __init__(self) -> None:
        self.executed: list[int] = []

    def submit(self, sequence: int) -> type[object]:
        if sequence in self.executed:
            return Duplicate
        if sequence == len(self.executed) + 1:
            self.executed.append(sequence)
            return Execute
        return OutOfOrder


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=60))
def test_each_session_agrees_with_the_dumb_one(submits: list[tuple[int, int]]) -> None:
    sessions = Sessions(capacity=3)
    identities = [index * 65_536 for index in (1, 2, 3)]
    for index in (1, 2, 3):
        sessions.handle(Open(index, 0))
    dumb = [Dumb() for _ in identities]
    for client, sequence in submits:
        decision = sessions.handle(Submit(identities[client], sequence, 0))
        assert type(decision) is dumb[client].submit(sequence)
        sessions.validate()
