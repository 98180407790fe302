"""Who may become leader, and when."""

from __future__ import annotations

import pytest
from raft_steps import SETTINGS, append, elect, node, sent, step

from psmr.core.raft import (
    NOOP,
    Append,
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    Commit,
    HardState,
    LogTerms,
    Membership,
    PreVoteReply,
    PreVoteRequest,
    Raft,
    Receive,
    Role,
    RoleChanged,
    SaveHardState,
    Send,
    SendEntries,
    Synced,
    Tick,
    VoteReply,
    VoteRequest,
)
from psmr.errors import ConfigurationError, Violation


def test_an_election_from_silence_to_the_first_entry() -> None:
    raft = node(log=(1, 1), term=1)
    assert step(raft, Tick(raft.next_deadline_us)) == [
        RoleChanged(Role.PRE_CANDIDATE, 1, None),
        Send(1, PreVoteRequest(1, 2, 1)),
        Send(2, PreVoteRequest(1, 2, 1)),
    ]
    assert step(raft, Receive(2, PreVoteReply(1, 2, True))) == [
        SaveHardState(2, 0),
        RoleChanged(Role.CANDIDATE, 2, None),
        Send(1, VoteRequest(2, 2, 1)),
        Send(2, VoteRequest(2, 2, 1)),
    ]
    entries = AppendEntries(2, 0, 2, 1, (2,), 0)
    assert step(raft, Receive(1, VoteReply(2, True))) == [
        RoleChanged(Role.LEADER, 2, 0),
        Append(3, (2,), (NOOP,)),
        SendEntries(1, entries),
        SendEntries(2, entries),
    ]


def test_a_single_member_elects_itself_at_its_first_tick_and_commits_when_synced() -> None:
    raft = Raft(0, ((0, Membership((0,))),), 1, HardState(), LogTerms(), SETTINGS)
    assert raft.next_deadline_us == 0
    assert step(raft, Tick(5)) == [
        SaveHardState(1, 0),
        RoleChanged(Role.LEADER, 1, 0),
        Append(1, (1,), (NOOP,)),
    ]
    assert step(raft, Synced(1, 1)) == [Commit(1)]
    step(raft, Tick(10_000))
    assert raft.role is Role.LEADER


def test_before_its_patience_ends_a_node_does_nothing() -> None:
    raft = node()
    deadline_us = raft.next_deadline_us
    assert SETTINGS.election_timeout_us <= deadline_us < 2 * SETTINGS.election_timeout_us
    assert step(raft, Tick(deadline_us - 1)) == []
    assert step(raft, Tick(deadline_us)) != []


def test_patience_depends_on_seed_replica_and_attempt_only() -> None:
    deadlines = {(seed, me): node(me=me, seed=seed).next_deadline_us for seed in range(5) for me in range(3)}
    assert len(set(deadlines.values())) > 10
    assert deadlines == {key: node(me=key[1], seed=key[0]).next_deadline_us for key in deadlines}
    raft = node()
    waits = []
    for _ in range(6):
        now_us = raft.next_deadline_us
        step(raft, Tick(now_us))
        waits.append(raft.next_deadline_us - now_us)
    assert len(set(waits)) > 3


def test_asking_for_pre_votes_moves_nobodys_term() -> None:
    raft = node(term=3, log=(1,))
    effects = step(raft, Receive(1, PreVoteRequest(9, 5, 4)))
    assert effects == [Send(1, PreVoteReply(3, 10, True))]
    assert (raft.term, raft.role) == (3, Role.FOLLOWER)


def test_a_replica_that_was_alone_does_not_disturb_a_live_leader() -> None:
    raft = node()
    append(raft, 1, (0, 0))
    step(raft, Tick(SETTINGS.election_timeout_us - 1))
    assert sent(step(raft, Receive(2, PreVoteRequest(1, 9, 1)))) == [PreVoteReply(1, 2, False)]
    assert step(raft, Receive(2, VoteRequest(8, 9, 1))) == []
    assert (raft.term, raft.leader) == (1, 1)
    step(raft, Tick(SETTINGS.election_timeout_us))
    assert sent(step(raft, Receive(2, PreVoteRequest(1, 9, 1)))) == [PreVoteReply(1, 2, True)]


def test_a_leader_is_not_disturbed_either_unless_its_follower_is_ahead() -> None:
    raft = node()
    elect(raft)
    assert step(raft, Receive(2, VoteRequest(8, 9, 1))) == []
    assert raft.role is Role.LEADER
    effects = step(raft, Receive(2, AppendRejected(8, 0, 0, 0, 0)))
    assert effects == [SaveHardState(8, None), RoleChanged(Role.FOLLOWER, 8, None)]


def test_one_that_is_ahead_says_so_to_a_leader_of_an_older_term() -> None:
    raft = node(term=5)
    assert append(raft, 4, (3, 4)) == [Send(1, AppendRejected(5, 0, 3, 0, 0))]


def test_a_vote_is_saved_before_it_is_sent_and_given_once_a_term() -> None:
    raft = node()
    request = VoteRequest(4, 0, 0)
    assert step(raft, Receive(1, request))[0] == SaveHardState(4, 1)
    assert sent(step(raft, Receive(2, request))) == [VoteReply(4, False)]
    assert sent(step(raft, Receive(1, request))) == [VoteReply(4, True)], "the first answer may have been lost"
    restarted = node(term=4, voted_for=1)
    assert sent(step(restarted, Receive(2, request))) == [VoteReply(4, False)]


@pytest.mark.parametrize(
    ("last_index", "last_term", "granted"),
    [(2, 3, True), (3, 3, True), (1, 4, True), (1, 3, False), (9, 2, False)],
)
def test_no_vote_for_a_candidate_that_lacks_entries(last_index: int, last_term: int, granted: bool) -> None:
    assert sent(step(node(term=3, log=(1, 3)), Receive(1, PreVoteRequest(4, last_index, last_term)))) == [
        PreVoteReply(3, 5, granted)
    ]
    assert sent(step(node(term=3, log=(1, 3)), Receive(1, VoteRequest(4, last_index, last_term)))) == [
        VoteReply(4, granted)
    ]


def test_a_candidate_needs_a_majority_of_different_voters() -> None:
    raft = node(members=(0, 1, 2, 3, 4))
    step(raft, Tick(raft.next_deadline_us))
    for _ in range(3):
        step(raft, Receive(1, PreVoteReply(0, 1, True)))
    assert raft.role is Role.PRE_CANDIDATE
    step(raft, Receive(2, PreVoteReply(0, 1, False)))
    step(raft, Receive(2, PreVoteReply(0, 7, True)))
    assert raft.role is Role.PRE_CANDIDATE
    step(raft, Receive(3, PreVoteReply(0, 1, True)))
    assert raft.role is Role.CANDIDATE


def test_a_leader_that_hears_no_majority_steps_down_in_its_term() -> None:
    raft = node()
    elect(raft)
    began_us = raft.next_deadline_us - SETTINGS.heartbeat_us
    step(raft, Receive(2, AppendAccepted(1, 0, 0, 0)))
    step(raft, Tick(began_us + SETTINGS.election_timeout_us))
    assert raft.role is Role.LEADER, "one of two followers answered"
    effects = step(raft, Tick(began_us + 2 * SETTINGS.election_timeout_us))
    assert effects == [RoleChanged(Role.FOLLOWER, 1, None)]


def test_a_candidate_follows_the_leader_of_its_term() -> None:
    raft = node()
    step(raft, Tick(raft.next_deadline_us))
    step(raft, Receive(1, PreVoteReply(0, 1, True)))
    assert append(raft, 1, (0, 0), leader=2)[0] == RoleChanged(Role.FOLLOWER, 1, 2)


def test_a_node_cannot_be_built_with_members_twice_or_with_a_term_older_than_its_log() -> None:
    with pytest.raises(ConfigurationError, match="members that differ"):
        node(members=(0, 1, 1))
    with pytest.raises(Violation, match="last_term <= term"):
        node(term=1, log=(1, 2))


def test_before_a_deadline_time_passes_as_with_ticks() -> None:
    ticked, passed = node(log=(1, 1), term=1), node(log=(1, 1), term=1)
    assert ticked.handle(Tick(0)) == passed.pass_time(0)
    deadline_us = ticked.next_deadline_us
    for now_us in (1, deadline_us - 1, 5, deadline_us, deadline_us + 1, 3 * deadline_us):
        assert ticked.handle(Tick(now_us)) == passed.pass_time(now_us)
        assert ticked.next_deadline_us == passed.next_deadline_us
    assert ticked.role is Role.PRE_CANDIDATE
    assert ticked.describe() == passed.describe()
