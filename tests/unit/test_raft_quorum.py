"""Entries go to a bare majority at once; to whom later, when, and when not."""

from __future__ import annotations

from raft_steps import SETTINGS, elect, node, step

from psmr.core.raft import (
    AppendAccepted,
    ConfirmRead,
    Effect,
    Propose,
    Raft,
    Receive,
    Send,
    SendEntries,
    Synced,
    Tick,
)
from psmr.core.raft.settings import Settings

DEFER_US = 50
_SETTINGS = Settings(
    election_timeout_us=SETTINGS.election_timeout_us,
    heartbeat_us=SETTINGS.heartbeat_us,
    max_entries_per_message=SETTINGS.max_entries_per_message,
    max_entries_in_flight=SETTINGS.max_entries_in_flight,
    defer_us=DEFER_US,
)


def accept(raft: Raft, follower: int, durable_index: int) -> list[Effect]:
    return step(raft, Receive(follower, AppendAccepted(raft.term, 0, durable_index, durable_index)))


def steady_leader() -> tuple[Raft, int]:
    """Leader of term 1 whose followers have its no-op and know it committed, and the time."""
    raft = node(settings=_SETTINGS)
    elect(raft)
    now_us = raft.next_deadline_us - _SETTINGS.heartbeat_us
    step(raft, Synced(1, 1))
    accept(raft, 1, 1)
    accept(raft, 2, 1)
    step(raft, Tick(now_us + DEFER_US))
    return raft, now_us + DEFER_US


def heard(effects: list[Effect]) -> dict[int, tuple[int, int]]:
    """Who is sent something: the last entry and the commit index in it."""
    sends = [effect for effect in effects if isinstance(effect, Send | SendEntries)]
    return {effect.to: (effect.message.last_index, effect.message.commit) for effect in sends}


def commit_one(raft: Raft, follower: int = 1) -> list[Effect]:
    """An entry proposed, synced here and on one follower."""
    effects = step(raft, Propose(("a",)))
    effects += step(raft, Synced(raft.last_index, raft.term))
    return effects + accept(raft, follower, raft.last_index)


def test_one_follower_of_two_hears_of_entries_at_once_and_nobody_of_the_commit() -> None:
    raft, _ = steady_leader()
    assert heard(commit_one(raft)) == {1: (2, 1)}
    assert raft.commit == 2


def test_what_was_put_off_is_sent_to_all_when_it_is_due_and_the_deadline_says_when() -> None:
    raft, now_us = steady_leader()
    commit_one(raft)
    assert raft.next_deadline_us == now_us + DEFER_US
    assert heard(step(raft, Tick(now_us + DEFER_US - 1))) == {}
    assert heard(step(raft, Tick(now_us + DEFER_US))) == {1: (2, 2), 2: (2, 2)}
    assert raft.next_deadline_us > now_us + DEFER_US, "nothing is owed any more"


def test_several_entries_put_off_go_in_one_message() -> None:
    raft, now_us = steady_leader()
    commit_one(raft)
    commit_one(raft)
    effects = step(raft, Tick(now_us + DEFER_US))
    assert [effect.to for effect in effects if isinstance(effect, SendEntries)] == [2]


def test_a_follower_that_forwards_hears_of_entries_and_commit_at_once() -> None:
    raft, _ = steady_leader()
    effects = step(raft, Propose(("a",), forwarded_by=(2,)))
    assert set(heard(effects)) == {1, 2}
    step(raft, Synced(2, 1))
    assert heard(accept(raft, 1, 2)) == {2: (2, 2)}


def test_a_follower_that_asks_to_read_is_brought_up_at_once() -> None:
    raft, _ = steady_leader()
    commit_one(raft)
    effects = step(raft, ConfirmRead(token=9, origin=2))
    assert SendEntries in {type(effect) for effect in effects if getattr(effect, "to", None) == 2}


def test_a_chosen_follower_without_what_is_committed_makes_way_for_one_that_has_it() -> None:
    raft, now_us = steady_leader()
    step(raft, Propose(("a",)))
    step(raft, Synced(2, 1))
    effects = step(raft, Tick(now_us + DEFER_US))
    asked = [effect.to for effect in effects if isinstance(effect, SendEntries)]
    assert asked == [2], "the chosen one is silent: the other is asked"
    accept(raft, 2, 2)
    assert raft.commit == 2
    assert set(heard(step(raft, Propose(("b",))))) == {2}


def test_a_follower_that_lags_by_more_than_a_message_is_not_made_to_wait() -> None:
    raft, _ = steady_leader()
    payloads = tuple("abcdefgh"[: _SETTINGS.max_entries_per_message + 1])
    assert set(heard(step(raft, Propose(payloads)))) == {1, 2}


def test_without_deferring_everybody_hears_of_everything_at_once() -> None:
    raft = node()
    elect(raft)
    step(raft, Synced(1, 1))
    accept(raft, 1, 1)
    accept(raft, 2, 1)
    effects = commit_one(raft)
    assert heard(effects) == {1: (2, 2), 2: (2, 2)}
