"""Messages on the wire, and what no correct member can have sent."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raft_steps import append, elect, node, step

from psmr.core.raft import (
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    Event,
    Message,
    PreVoteReply,
    PreVoteRequest,
    Propose,
    Raft,
    Receive,
    Role,
    Synced,
    Tick,
    VoteReply,
    VoteRequest,
)

EXAMPLES: list[Message] = [
    PreVoteRequest(1, 2, 1),
    PreVoteReply(1, 2, True),
    VoteRequest(3, 2, 1),
    VoteReply(3, False),
    AppendEntries(3, 9, 2, 1, (1, 3), 2),
    AppendAccepted(3, 9, 3, 4),
    AppendRejected(3, 9, 4, 2, 1),
]

NUMBERS = st.sampled_from((-1, 0, 0, 1, 1, 2, 3, 4, 5, 7, 2**62, 2**63, 2**64 - 1))
MESSAGES = st.one_of(
    st.builds(PreVoteRequest, NUMBERS, NUMBERS, NUMBERS),
    st.builds(PreVoteReply, NUMBERS, NUMBERS, st.booleans()),
    st.builds(VoteRequest, NUMBERS, NUMBERS, NUMBERS),
    st.builds(VoteReply, NUMBERS, st.booleans()),
    st.builds(AppendEntries, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.lists(NUMBERS, max_size=3).map(tuple), NUMBERS),
    st.builds(AppendAccepted, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.builds(AppendRejected, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)


def receive(sender: int, message: Message, payloads_missing: bool) -> Receive:
    count = len(message.entry_terms) if isinstance(message, AppendEntries) else 0
    return Receive(sender, message, ("payload",) * (count - payloads_missing))


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(receive, st.sampled_from((1, 2, 1, 2, 0, 3, -1)), MESSAGES, st.sampled_from((False, False, False, True))),
    st.builds(Tick, st.integers(0, 20_000)),
    st.just(Propose(("a", "b"))),
    st.builds(Synced, st.integers(0, 6), st.integers(0, 6), st.none() | st.integers(0, 2)),
)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_every_message_survives_the_wire(message: Message) -> None:
    data = msgspec.msgpack.encode(message)
    assert msgspec.msgpack.Decoder(Message).decode(data) == message
    assert len(data) < 20


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.booleans())
def test_nothing_that_arrives_raises_or_breaks_an_invariant(events: list[Event], leads: bool) -> None:
    raft = node(term=3, log=(1, 1, 3))
    if leads:
        elect(raft)
    for event in events:
        before = (raft.term, raft.commit)
        step(raft, event)
        assert (raft.term, raft.commit) >= before
        assert raft.commit >= before[1]


def is_ignored(raft: Raft, sender: int, message: Message, payloads: tuple[object, ...] = ()) -> bool:
    before = raft.describe()
    return step(raft, Receive(sender, message, payloads)) == [] and raft.describe() == before


@pytest.mark.parametrize(
    "message",
    [
        VoteRequest(-1, 0, 0),
        VoteRequest(2**62, 0, 0),
        VoteRequest(9, 0, 3),
        VoteRequest(9, 3, 0),
        VoteRequest(9, 3, 10),
        AppendEntries(0, 0, 0, 0, (), 0),
        AppendEntries(9, 0, -1, 1, (), 0),
        AppendEntries(9, 0, 3, 0, (), 0),
        AppendEntries(9, 0, 3, 10, (), 0),
        AppendEntries(9, 0, 3, 3, (), -1),
        AppendEntries(9, 0, 3, 3, (2,), 0),
        AppendEntries(9, 0, 3, 3, (10,), 0),
        AppendEntries(9, 0, 0, 0, (0,), 0),
        AppendEntries(9, 0, 3, 3, (5, 4), 0),
        AppendEntries(9, 2**63, 3, 3, (), 0),
        AppendAccepted(9, 0, 4, 3),
        AppendAccepted(9, 0, -1, 3),
        AppendRejected(9, 0, 3, 4, 3),
        AppendRejected(9, 0, 3, 0, 3),
        PreVoteReply(9, -5, True),
    ],
    ids=repr,
)
def test_impossible_numbers_are_dropped_and_move_not_even_the_term(message: Message) -> None:
    count = len(message.entry_terms) if isinstance(message, AppendEntries) else 0
    assert is_ignored(node(term=3, log=(1, 1, 3)), 1, message, ("payload",) * count)


def test_messages_from_nobody_and_from_itself_are_dropped() -> None:
    for sender in (-1, 0):
        assert is_ignored(node(), sender, VoteRequest(5, 0, 0))


def test_entries_without_their_payloads_are_dropped() -> None:
    raft = node()
    append(raft, 1, (0, 0))
    assert is_ignored(raft, 1, AppendEntries(1, 0, 0, 0, (1, 1), 0), ("only one",))


def test_a_second_leader_of_a_term_is_not_followed() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1,), leader=1)
    assert is_ignored(raft, 2, AppendEntries(1, 0, 1, 1, (1,), 1), ("other",))


def test_a_leader_ignores_its_own_terms_entries_and_answers_beyond_its_log() -> None:
    raft = node()
    elect(raft)
    assert raft.role is Role.LEADER
    assert is_ignored(raft, 1, AppendEntries(1, 0, 0, 0, (1,), 1), ("other",))
    step(raft, Receive(1, AppendAccepted(1, 0, 99, 99)))
    step(raft, Receive(2, AppendRejected(1, 0, 99, 98, 1)))
    step(raft, Synced(1, 1))
    assert raft.commit == 0
