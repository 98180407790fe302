"""Logs whose first entries are gone: what a follower skips, and how a leader offers a snapshot instead."""

from __future__ import annotations

import pytest
from raft_steps import append, elect, node, sent, step

from psmr.core.raft import (
    Append,
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    Commit,
    Compacted,
    Effect,
    Propose,
    Raft,
    Receive,
    Send,
    SendEntries,
    SendSnapshot,
    Synced,
    Tick,
    Truncate,
)
from psmr.errors import Violation


def offers(effects: list[Effect]) -> list[int]:
    return [effect.to for effect in effects if isinstance(effect, SendSnapshot)]


def compacted_leader() -> Raft:
    """Leader of term 4 whose log of 9 entries begins at 6; follower 1 has all of it, follower 2 was not heard."""
    raft = node(term=3, log=(3, 3, 3), base=(5, 2))
    elect(raft)
    step(raft, Synced(9, 4))
    step(raft, Receive(1, AppendAccepted(4, 0, 9, 9)))
    assert raft.commit == 9
    return raft


def test_a_node_starts_with_what_its_snapshot_holds_committed() -> None:
    raft = node(term=3, log=(3,), base=(5, 2))
    assert (raft.base_index, raft.commit, raft.durable_index, raft.last_index) == (5, 5, 6, 6)
    empty = node(term=3, base=(5, 2))
    assert (empty.commit, empty.last_index, empty.last_term) == (5, 5, 2)


def test_a_node_starts_with_what_its_disk_remembers_as_committed() -> None:
    assert node(term=3, log=(1, 2, 3), committed=2).commit == 2
    assert node(term=3, log=(1, 2, 3), committed=9).commit == 3
    assert node(term=3, log=(3,), base=(5, 2), committed=4).commit == 5


def test_what_the_disk_remembers_as_committed_is_never_cut_off() -> None:
    raft = node(term=3, log=(1, 2, 2), committed=2)
    effects = append(raft, 4, (1, 1), (3, 3), commit=1, round=1)
    assert not [effect for effect in effects if isinstance(effect, Truncate | Append)]
    assert (raft.commit, raft.last_index) == (2, 3)
    append(raft, 4, (2, 2), (3,), commit=1, round=2)
    assert (raft.commit, raft.last_term) == (2, 3)


def test_a_follower_skips_what_lies_below_its_base_and_takes_the_rest() -> None:
    raft = node(term=2, base=(5, 2))
    effects = append(raft, 2, (3, 1), (2, 2, 2, 2))
    assert effects[-1] == Append(6, (2, 2), ("6@2", "7@2"))
    assert step(raft, Synced(7, 2)) == [Send(1, AppendAccepted(2, 0, 7, 7))]


@pytest.mark.parametrize("entry_terms", [(), (1,), (1, 2, 2)])
def test_a_message_that_lies_below_the_base_entirely_is_answered_with_the_base(entry_terms: tuple[int, ...]) -> None:
    raft = node(term=2, base=(5, 2))
    assert sent(append(raft, 2, (2, 1), entry_terms)) == [AppendAccepted(2, 0, 5, 5)]
    assert raft.last_index == 5


def test_entries_that_contradict_the_base_are_dropped() -> None:
    raft = node(term=3, base=(5, 2))
    assert sent(append(raft, 3, (3, 1), (1, 1, 3))) == []
    assert raft.last_index == 5


def test_the_commit_of_a_skipped_message_is_taken() -> None:
    raft = node(term=2, base=(5, 2))
    assert Commit(6) in append(raft, 2, (4, 2), (2, 2), commit=9)


def test_a_follower_without_what_is_gone_is_offered_a_snapshot_once_a_heartbeat() -> None:
    raft = compacted_leader()
    assert offers(step(raft, Receive(2, AppendRejected(4, 0, 8, 3, 1)))) == [2]
    assert step(raft, Receive(2, AppendRejected(4, 0, 8, 3, 1))) == [], "repeated"
    effects = step(raft, Tick(raft.next_deadline_us))
    assert Send(2, AppendEntries(4, 1, 5, 2, (), 9)) in effects, "has it come by a snapshot?"
    effects = step(raft, Receive(2, AppendRejected(4, 1, 5, 3, 1)))
    assert offers(effects) == [2]
    assert sent(effects) == []
    assert SendEntries not in {type(one) for one in step(raft, Propose(("a",))) if getattr(one, "to", 0) == 2}


def test_a_follower_that_agrees_with_nothing_in_the_log_is_offered_a_snapshot_after_being_asked_for_the_base() -> None:
    raft = compacted_leader()
    effects = step(raft, Receive(2, AppendRejected(4, 0, 8, 7, 1)))
    assert sent(effects) == [AppendEntries(4, 0, 5, 2, (3, 3, 3, 4), 9)]
    assert offers(step(raft, Receive(2, AppendRejected(4, 0, 5, 5, 1)))) == [2]


def test_a_follower_that_installed_a_snapshot_is_sent_what_follows_it() -> None:
    raft = compacted_leader()
    step(raft, Receive(2, AppendRejected(4, 0, 8, 3, 1)))
    [_, heartbeat] = sent(step(raft, Tick(raft.next_deadline_us)))
    follower = node(me=2, term=4, base=(7, 3))
    [answer] = sent(step(follower, Receive(0, heartbeat)))
    assert answer == AppendAccepted(4, 1, 7, 7)
    effects = step(raft, Receive(2, answer))
    assert effects == [SendEntries(2, AppendEntries(4, 1, 7, 3, (3, 4), 9))]


def test_a_follower_whose_entries_are_compacted_on_their_way_is_asked_before_it_is_offered_a_snapshot() -> None:
    raft = node()
    elect(raft)
    step(raft, Synced(1, 1))
    step(raft, Receive(1, AppendAccepted(1, 0, 1, 1)))
    step(raft, Compacted(1))
    assert raft.base_index == 1
    effects = step(raft, Tick(raft.next_deadline_us))
    assert offers(effects) == []
    assert Send(2, AppendEntries(1, 1, 1, 1, (), 1)) in effects
    assert offers(step(raft, Receive(2, AppendRejected(1, 1, 1, 0, 0)))) == [2]


def test_only_what_is_committed_is_compacted() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1, 1, 1), commit=2)
    assert step(raft, Compacted(2)) == []
    assert (raft.base_index, raft.durable_index) == (2, 2), "its snapshot is on disk"
    with pytest.raises(Violation, match="only committed"):
        raft.handle(Compacted(3))
