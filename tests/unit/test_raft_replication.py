"""What is appended, acknowledged and committed, and what is not."""

from __future__ import annotations

from itertools import permutations

from raft_steps import SETTINGS, append, elect, node, sent, step

from psmr.core.raft import (
    Append,
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    Commit,
    Propose,
    Raft,
    Receive,
    Rejected,
    Role,
    Send,
    SendEntries,
    Synced,
    Tick,
    Truncate,
    Unreachable,
)


def accept(raft: Raft, follower: int, durable_index: int, verified_index: int | None = None, round: int = 0):  # noqa: A002
    verified_index = durable_index if verified_index is None else verified_index
    return step(raft, Receive(follower, AppendAccepted(raft.term, round, durable_index, verified_index)))


def steady_leader() -> Raft:
    """Leader of term 1 whose no-op, entry 1, is committed and whose followers have it."""
    raft = node()
    elect(raft)
    step(raft, Synced(1, 1))
    accept(raft, 1, 1)
    accept(raft, 2, 1)
    assert raft.commit == 1
    return raft


def test_a_proposal_goes_out_before_it_is_synced_and_commits_when_a_majority_has_it_on_disk() -> None:
    raft = steady_leader()
    message = AppendEntries(1, 0, 1, 1, (1, 1), 1)
    assert step(raft, Propose(("a", "b"))) == [
        Append(2, (1, 1), ("a", "b")),
        SendEntries(1, message),
        SendEntries(2, message),
    ]
    assert accept(raft, 1, 3) == [], "the leader's own disk does not count before its sync"
    announcement = AppendEntries(1, 0, 3, 1, (), 3)
    assert step(raft, Synced(3, 1)) == [Commit(3), Send(1, announcement), Send(2, announcement)]
    assert accept(raft, 2, 3) == []


def test_two_followers_commit_without_the_leaders_disk() -> None:
    raft = steady_leader()
    step(raft, Propose(("a",)))
    accept(raft, 1, 2)
    assert accept(raft, 2, 2)[0] == Commit(2)


def test_an_empty_announcement_is_spared_where_entries_carry_the_commit() -> None:
    raft = steady_leader()
    step(raft, Propose(tuple(range(9))))
    step(raft, Synced(10, 1))
    effects = accept(raft, 1, 9)
    assert effects == [
        Commit(9),
        SendEntries(1, AppendEntries(1, 0, 9, 1, (1,), 9)),
        Send(2, AppendEntries(1, 0, 9, 1, (), 9)),
    ], "follower 2's window is full"


def test_entries_in_flight_are_bounded() -> None:
    raft = steady_leader()
    effects = step(raft, Propose(tuple(range(20))))
    to_first = [effect.message for effect in effects if isinstance(effect, SendEntries) and effect.to == 1]
    assert [(one.first_index, one.last_index) for one in to_first] == [(2, 5), (6, 9)]
    assert step(raft, Propose(("more",))) == [Append(22, (1,), ("more",))]
    assert [(one.first_index, one.last_index) for one in sent(accept(raft, 1, 5))] == [(10, 13)]


def test_who_does_not_lead_refuses_and_names_the_leader() -> None:
    raft = node()
    assert step(raft, Propose(("a", "b"))) == [Rejected(2, None)]
    append(raft, 1, (0, 0), leader=2)
    assert step(raft, Propose(("a",))) == [Rejected(1, 2)]


def test_figure_8_an_entry_of_an_older_term_is_not_committed_by_counting() -> None:
    raft = node(term=3, log=(1, 2))
    elect(raft)
    assert (raft.term, raft.last_index) == (4, 3)
    assert accept(raft, 1, 2) != [], "the no-op follows"
    assert accept(raft, 2, 2) != []
    assert raft.commit == 0, "entry 2, of term 2, is on every disk, and yet a leader of term 3 may overwrite it"
    step(raft, Synced(3, 4))
    assert raft.commit == 0
    assert Commit(3) in accept(raft, 1, 3)


def test_a_follower_acknowledges_only_what_is_synced_and_verified() -> None:
    raft = node(term=1, log=(1, 1, 1))
    assert append(raft, 2, (1, 1), (2, 2)) == [
        *step(node(term=1, log=(1, 1, 1)), Receive(1, AppendEntries(2, 0, 0, 0, (), 0)))[:2],
        Truncate(2),
        Append(2, (2, 2), ("2@2", "3@2")),
    ], "nothing is said before the sync"
    assert sent(append(raft, 2, (3, 2), round=1)) == [AppendAccepted(2, 1, 1, 3)]
    assert step(raft, Synced(2, 2)) == [Send(1, AppendAccepted(2, 1, 2, 3))]
    assert step(raft, Synced(3, 2)) == [Send(1, AppendAccepted(2, 1, 3, 3))]


def test_a_durable_tail_that_the_leader_has_not_verified_is_not_acknowledged() -> None:
    raft = node(term=1, log=(1, 1, 1))
    assert sent(append(raft, 2, (1, 1), commit=3)) == [AppendAccepted(2, 0, 1, 1)]
    assert raft.commit == 1, "entries 2 and 3 may not be the leader's"


def test_a_sync_from_before_a_truncation_is_ignored() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1, 1))
    append(raft, 2, (1, 1), (2,), leader=2)
    assert step(raft, Synced(2, 1)) == [], "entry 2 of term 1 is no more"
    assert raft.durable_index == 0
    assert sent(step(raft, Synced(2, 2, 1))) == [AppendAccepted(2, 0, 2, 2)]


def test_a_sync_from_before_a_truncation_is_ignored_even_if_the_same_entry_came_back() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1, 1))
    notice = Synced(2, 1, raft.truncations)
    append(raft, 2, (0, 0), (2,), leader=2)
    append(raft, 3, (0, 0), (1, 1), leader=1)
    assert (raft.last_index, raft.last_term) == (2, 1)
    assert step(raft, notice) == [], "entries 1 and 2 were written again since, and may not be on disk yet"
    assert raft.durable_index == 0
    assert sent(step(raft, Synced(2, 1, raft.truncations))) == [AppendAccepted(3, 0, 2, 2)]


def test_a_sync_reported_late_does_not_move_back() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1, 1, 1))
    step(raft, Synced(3, 1))
    assert step(raft, Synced(1, 1)) == []
    assert raft.durable_index == 3


def test_messages_repeated_and_reordered_leave_the_same_log() -> None:
    messages = [((0, 0), (1, 1)), ((2, 1), (1, 2)), ((4, 2), (2,))]
    for order in permutations([*messages, *messages[:2]]):
        raft = node()
        for prev, entry_terms in order:
            append(raft, 2, prev, entry_terms)
        for prev, entry_terms in messages:
            append(raft, 2, prev, entry_terms)
        assert (raft.last_index, raft.last_term, raft.truncations) == (5, 2, 0)
        assert sent(step(raft, Synced(5, 2))) == [AppendAccepted(2, 0, 5, 5)]


def test_a_repeated_message_is_answered_again() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1,))
    step(raft, Synced(1, 1))
    assert append(raft, 1, (0, 0), (1,)) == [Send(1, AppendAccepted(1, 0, 1, 1))]


def test_a_commit_announcement_without_news_is_not_answered() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1,), round=3)
    step(raft, Synced(1, 1))
    assert append(raft, 1, (1, 1), commit=1, round=3) == [Commit(1)]
    assert sent(append(raft, 1, (1, 1), commit=1, round=4)) == [AppendAccepted(1, 4, 1, 1)]


def test_a_missing_entry_is_reported_with_where_the_logs_can_agree() -> None:
    raft = node(term=5, log=(1, 1, 4, 4, 4))
    assert sent(append(raft, 6, (9, 6))) == [AppendRejected(6, 0, 9, 5, 4)]
    assert sent(append(raft, 6, (4, 3))) == [AppendRejected(6, 0, 4, 2, 1)], "a whole term is skipped"


def test_a_leader_goes_back_by_terms_and_resends() -> None:
    raft = node(term=5, log=(1, 1, 1, 2, 2, 5, 5))
    elect(raft)
    effects = step(raft, Receive(1, AppendRejected(6, 0, 7, 6, 4)))
    assert effects == [SendEntries(1, AppendEntries(6, 0, 5, 2, (5, 5, 6), 0))]
    assert step(raft, Receive(1, AppendRejected(6, 0, 7, 6, 4))) == [], "repeated"
    effects = step(raft, Receive(1, AppendRejected(6, 0, 5, 3, 1)))
    assert effects == [SendEntries(1, AppendEntries(6, 0, 3, 1, (2, 2, 5, 5), 0))]


def test_a_lost_message_is_recovered_by_the_next_heartbeat() -> None:
    raft = steady_leader()
    step(raft, Propose(("lost",)))
    effects = step(raft, Tick(raft.next_deadline_us))
    heartbeat = AppendEntries(1, 1, 2, 1, (), 1)
    assert effects == [Send(1, heartbeat), Send(2, heartbeat)]
    follower = node(me=1, term=1, log=(1,))
    [answer] = sent(step(follower, Receive(0, heartbeat)))
    assert step(raft, Receive(1, answer)) == [SendEntries(1, AppendEntries(1, 1, 1, 1, (1,), 1))]


def test_a_lost_acknowledgement_is_repeated_at_the_next_heartbeat() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1,))
    step(raft, Synced(1, 1))
    assert sent(append(raft, 1, (1, 1), round=1)) == [AppendAccepted(1, 1, 1, 1)]


def test_an_unreachable_follower_gets_heartbeats_only_until_it_answers() -> None:
    raft = steady_leader()
    step(raft, Unreachable(1))
    effects = step(raft, Propose(("a",)))
    assert [effect.to for effect in effects if isinstance(effect, SendEntries)] == [2]
    step(raft, Tick(raft.next_deadline_us))
    assert accept(raft, 1, 1, round=1) == [SendEntries(1, AppendEntries(1, 1, 1, 1, (1,), 1))]


def deny(raft: Raft, follower: int, prev_index: int, hint_index: int, round: int):  # noqa: A002
    denial = AppendRejected(raft.term, round, prev_index, hint_index, raft.term if hint_index else 0)
    return step(raft, Receive(follower, denial))


def leader_of_a_follower_with_three() -> Raft:
    """Leader of term 1, commit 1: follower 1 has acknowledged entries 1 to 3 in round 0, and the leader has not synced them."""
    raft = steady_leader()
    step(raft, Propose(("a", "b")))
    accept(raft, 1, 3)
    step(raft, Unreachable(1))
    return raft


def test_a_follower_that_lost_what_it_acknowledged_is_sent_it_again() -> None:
    raft = leader_of_a_follower_with_three()
    beat = sent(step(raft, Tick(raft.next_deadline_us)))[0]
    assert (beat.prev_index, beat.round) == (3, 1)
    assert deny(raft, 1, 3, 1, round=1) == [SendEntries(1, AppendEntries(1, 1, 1, 1, (1, 1), 1))]
    assert raft.match_index(1) == 0
    step(raft, Tick(raft.next_deadline_us))
    accept(raft, 1, 3, round=2)
    assert raft.match_index(1) == 3
    assert sent(step(raft, Propose(("c",))))[0] == AppendEntries(1, 2, 3, 1, (1,), 1)


def test_a_denial_that_an_acknowledgement_overtook_says_nothing() -> None:
    raft = leader_of_a_follower_with_three()
    step(raft, Tick(raft.next_deadline_us))
    accept(raft, 1, 3, round=1)
    for prev_index in (1, 2, 3):
        assert deny(raft, 1, prev_index, 0, round=1) == []
    assert raft.match_index(1) == 3


def test_what_a_follower_lost_counts_for_no_commit() -> None:
    raft = leader_of_a_follower_with_three()
    step(raft, Tick(raft.next_deadline_us))
    deny(raft, 1, 3, 1, round=1)
    assert not any(isinstance(effect, Commit) for effect in step(raft, Synced(3, 1)))
    for said_before_round in (0, 1):
        accept(raft, 1, 3, round=said_before_round)
        assert (raft.match_index(1), raft.commit) == (0, 1), "this may be from before it lost them"
    step(raft, Tick(raft.next_deadline_us))
    assert Commit(3) in accept(raft, 1, 3, round=2)


def test_a_deposed_leaders_unsynced_entries_are_not_acknowledged_unasked() -> None:
    raft = steady_leader()
    step(raft, Propose(("a",)))
    step(raft, Receive(1, AppendRejected(5, 0, 0, 0, 0)))
    assert raft.role is Role.FOLLOWER
    assert step(raft, Synced(2, 1)) == []
    assert append(raft, 6, (1, 1), (6,))[-2:] == [Truncate(2), Append(2, (6,), ("2@6",))]


def test_answers_from_an_earlier_term_count_for_nothing() -> None:
    raft = node(term=3, log=(1,))
    elect(raft)
    step(raft, Synced(2, 4))
    assert step(raft, Receive(1, AppendAccepted(3, 0, 2, 2))) == []
    assert step(raft, Receive(1, AppendRejected(3, 0, 1, 0, 0))) == []
    assert raft.commit == 0


def test_committed_entries_are_not_truncated_whoever_asks() -> None:
    raft = node()
    append(raft, 1, (0, 0), (1, 1), commit=2)
    assert raft.commit == 2
    effects = append(raft, 2, (1, 1), (2,), leader=2)
    assert not any(isinstance(effect, Truncate | Append | Send) for effect in effects)
    assert (raft.last_index, raft.last_term) == (2, 1)


def test_next_deadline_of_a_leader_is_its_heartbeat() -> None:
    raft = steady_leader()
    before_us = raft.next_deadline_us
    step(raft, Tick(before_us))
    assert raft.next_deadline_us == before_us + SETTINGS.heartbeat_us
