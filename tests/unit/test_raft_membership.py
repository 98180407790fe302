"""Who counts, who is sent the log, and which change of that is refused, by nodes alone."""

from __future__ import annotations

import pytest
from raft_steps import SETTINGS, append, elect, node, sent, step

from psmr.core.raft import (
    Append,
    AppendAccepted,
    AppendEntries,
    Commit,
    Effect,
    Membership,
    MembershipChanged,
    MembershipRefused,
    PreVoteReply,
    PreVoteRequest,
    Propose,
    ProposeMembership,
    Raft,
    Receive,
    Role,
    Send,
    SendEntries,
    Settings,
    Synced,
    Tick,
    Truncate,
    VoteReply,
    VoteRequest,
)

FOUNDING = Membership((0, 1, 2))
WITH_LEARNER = Membership((0, 1, 2), (3,))
FOUR = Membership((0, 1, 2, 3))
JOINING = ((0, Membership(())),)


def accept(raft: Raft, follower: int, durable_index: int) -> list[Effect]:
    return step(raft, Receive(follower, AppendAccepted(raft.term, 0, durable_index, durable_index)))


def propose(raft: Raft, membership: Membership) -> list[Effect]:
    return step(raft, ProposeMembership(membership, "change"))


def refusal(raft: Raft, membership: Membership) -> str:
    """Why it was refused, which must be all that happened."""
    before = raft.last_index, raft.membership
    [effect] = propose(raft, membership)
    assert isinstance(effect, MembershipRefused)
    assert (raft.last_index, raft.membership) == before
    return effect.reason


def commit_all(raft: Raft, *followers: int) -> list[Effect]:
    """This node and these followers have everything on disk."""
    effects = step(raft, Synced(raft.last_index, raft.term))
    for follower in followers:
        effects += accept(raft, follower, raft.last_index)
    assert raft.commit == raft.last_index
    return effects


def leader(membership: Membership = FOUNDING, settings: Settings = SETTINGS) -> Raft:
    """Replica 0, leader of term 1, whose no-op is committed."""
    raft = node(memberships=((0, membership),), settings=settings)
    others = tuple(voter for voter in membership.voters if voter != 0)
    elect(raft, others[: membership.majority - 1])
    commit_all(raft, *others)
    return raft


def receivers(effects: list[Effect]) -> set[int]:
    return {effect.to for effect in effects if isinstance(effect, Send | SendEntries)}


def test_a_learner_is_in_force_at_once_and_sent_the_log() -> None:
    raft = leader()
    effects = propose(raft, WITH_LEARNER)
    assert effects[:2] == [Append(2, (1,), ("change",)), MembershipChanged(2, WITH_LEARNER)]
    assert SendEntries(3, AppendEntries(1, 0, 1, 1, (1,), 1)) in effects
    assert receivers(effects) == {1, 2, 3}
    assert (raft.membership, raft.membership_index) == (WITH_LEARNER, 2)
    assert raft.match_index(3) == 0
    accept(raft, 3, 2)
    assert raft.match_index(3) == 2


def test_a_learner_counts_for_nothing_that_a_majority_decides() -> None:
    raft = leader(WITH_LEARNER)
    step(raft, Propose(("a",)))
    step(raft, Synced(2, 1))
    accept(raft, 3, 2)
    assert raft.commit == 1
    assert Commit(2) in accept(raft, 1, 2)
    step(raft, Tick(raft.next_deadline_us))
    for _ in range(30):
        step(raft, Receive(3, AppendAccepted(1, 1, 2, 2)))
        step(raft, Tick(raft.next_deadline_us))
    assert raft.role is not Role.LEADER, "no majority of voters was heard"


def test_the_vote_of_a_learner_does_not_count() -> None:
    raft = node(memberships=((0, WITH_LEARNER),))
    step(raft, Tick(raft.next_deadline_us))
    step(raft, Receive(3, PreVoteReply(0, 1, True)))
    assert raft.role is Role.PRE_CANDIDATE
    step(raft, Receive(1, PreVoteReply(0, 1, True)))
    step(raft, Receive(3, VoteReply(1, True)))
    assert raft.role is Role.CANDIDATE
    step(raft, Receive(2, VoteReply(1, True)))
    assert raft.role is Role.LEADER


def test_only_voters_are_asked_for_votes() -> None:
    raft = node(memberships=((0, WITH_LEARNER),))
    assert receivers(step(raft, Tick(raft.next_deadline_us))) == {1, 2}


@pytest.mark.parametrize("memberships", [((0, WITH_LEARNER),), JOINING])
def test_who_votes_by_no_membership_never_stands_but_grants_votes(
    memberships: tuple[tuple[int, Membership], ...],
) -> None:
    raft = node(me=3, memberships=memberships)
    append(raft, 1, (0, 0))
    for _ in range(4):
        assert sent(step(raft, Tick(raft.next_deadline_us))) == []
    assert (raft.role, raft.leader) == (Role.FOLLOWER, None), "the silent leader is forgotten"
    assert sent(step(raft, Receive(2, PreVoteRequest(1, 0, 0)))) == [PreVoteReply(1, 2, True)]
    assert sent(step(raft, Receive(2, VoteRequest(2, 0, 0)))) == [VoteReply(2, True)]


def test_a_joining_replica_takes_the_log_from_who_leads() -> None:
    raft = node(me=3, memberships=JOINING)
    message = AppendEntries(1, 0, 0, 0, (1, 1), 1)
    effects = step(raft, Receive(0, message, ("noop", "change"), ((2, WITH_LEARNER),)))
    assert effects[-3:] == [Append(1, (1, 1), ("noop", "change")), MembershipChanged(2, WITH_LEARNER), Commit(1)]
    again = step(raft, Receive(0, message, ("noop", "change"), ((2, WITH_LEARNER),)))
    assert again == [Send(0, AppendAccepted(1, 0, 0, 2))], "held already"


def test_a_membership_goes_with_the_entry_that_said_it() -> None:
    raft = node()
    step(raft, Receive(1, AppendEntries(1, 0, 0, 0, (1, 1, 1), 1), ("a", "b", "c"), ((2, WITH_LEARNER), (3, FOUR))))
    assert raft.membership == FOUR
    effects = append(raft, 2, (2, 1), (2,), leader=2)
    assert effects[-3:] == [Truncate(3), Append(3, (2,), ("3@2",)), MembershipChanged(2, WITH_LEARNER)]
    append(raft, 3, (1, 1), (3,), leader=1)
    assert (raft.membership, raft.membership_index) == (FOUNDING, 0)


def test_a_membership_replaced_at_its_index_is_told_once() -> None:
    raft = node()
    step(raft, Receive(1, AppendEntries(1, 0, 0, 0, (1, 1), 1), ("a", "b"), ((2, WITH_LEARNER),)))
    effects = step(raft, Receive(2, AppendEntries(2, 0, 1, 1, (2,), 1), ("c",), ((2, Membership((0, 1))),)))
    assert [one for one in effects if isinstance(one, MembershipChanged)] == [
        MembershipChanged(2, Membership((0, 1))),
    ]


def test_a_node_restarts_with_the_memberships_of_its_log() -> None:
    raft = node(term=1, log=(1, 1), base=(5, 1), memberships=((3, WITH_LEARNER), (7, FOUR)))
    assert raft.membership == FOUR
    append(raft, 2, (6, 1), (2,), leader=2)
    assert (raft.membership, raft.membership_index) == (WITH_LEARNER, 3)


def test_who_does_not_lead_changes_no_membership() -> None:
    raft = node()
    append(raft, 1, (0, 0), leader=2)
    assert "replica 2" in refusal(raft, WITH_LEARNER)


def test_one_change_at_a_time() -> None:
    raft = leader()
    propose(raft, WITH_LEARNER)
    assert "one change at a time" in refusal(raft, FOUNDING)
    commit_all(raft, 1)
    assert MembershipChanged(3, FOUNDING) in propose(raft, FOUNDING)


def test_a_new_leader_changes_nothing_before_an_entry_of_its_term_is_committed() -> None:
    raft = node(term=1, log=(1,))
    elect(raft)
    assert "of the leader's term" in refusal(raft, WITH_LEARNER)
    commit_all(raft, 1)
    assert MembershipChanged(3, WITH_LEARNER) in propose(raft, WITH_LEARNER)


@pytest.mark.parametrize(
    ("membership", "why"),
    [
        (Membership(()), "at least one voter"),
        (Membership((0,)), "at most one voter"),
        (Membership((1, 2, 3)), "at most one voter"),
        (Membership((0, 1, 2, 4), (3,)), "a learner first"),
        (Membership((0, 1, 2), (2,)), "differ"),
        (Membership((0, 1, 2), (-1,)), "no less than 0"),
    ],
)
def test_a_change_that_could_split_the_group_is_refused(membership: Membership, why: str) -> None:
    assert why in refusal(leader(WITH_LEARNER), membership)


def test_a_learner_becomes_a_voter_when_it_has_nearly_all_of_the_log() -> None:
    raft = leader(WITH_LEARNER)
    step(raft, Propose(tuple(range(SETTINGS.max_entries_in_flight))))
    assert "9 entries behind" in refusal(raft, FOUR)
    accept(raft, 3, 1)
    assert MembershipChanged(10, FOUR) in propose(raft, FOUR)
    step(raft, Synced(10, 1))
    accept(raft, 1, 10)
    assert raft.commit == 1, "two of four are no majority"
    assert Commit(10) in accept(raft, 3, 10)


def test_a_removed_leader_does_not_count_itself_and_leads_until_that_is_committed() -> None:
    raft = leader()
    propose(raft, Membership((1, 2)))
    step(raft, Synced(2, 1))
    accept(raft, 1, 2)
    assert (raft.commit, raft.role) == (1, Role.LEADER), "one of two is no majority"
    effects = accept(raft, 2, 2)
    assert Commit(2) in effects
    assert {1, 2} <= receivers(effects), "they hear of the commit"
    assert (raft.role, raft.leader) == (Role.FOLLOWER, None)
    assert sent(step(raft, Tick(raft.next_deadline_us))) == [], "it does not stand again"


def test_a_removed_replica_stands_while_its_removal_may_be_undone() -> None:
    raft = node(term=1, log=(1, 1), memberships=((0, Membership((0, 1))), (2, Membership((1,)))))
    effects = step(raft, Tick(raft.next_deadline_us))
    assert sent(effects) == [PreVoteRequest(1, 2, 1)], "replica 1, which may lack entry 2, cannot win without it"
    step(raft, Receive(1, PreVoteReply(1, 2, True)))
    step(raft, Receive(1, VoteReply(2, True)))
    assert raft.role is Role.LEADER
    assert Commit(3) in accept(raft, 1, 3)
    assert raft.role is Role.FOLLOWER


def test_a_removed_follower_is_sent_nothing_any_more_and_its_answers_count_for_nothing() -> None:
    raft = leader()
    assert receivers(propose(raft, Membership((0, 1)))) == {1}
    step(raft, Synced(2, 1))
    assert accept(raft, 2, 2) == []
    assert raft.commit == 1
    assert Commit(2) in accept(raft, 1, 2)


def test_the_last_voter_left_commits_alone() -> None:
    raft = leader(Membership((0, 1)))
    propose(raft, Membership((0,)))
    assert Commit(2) in step(raft, Synced(2, 1))


def test_a_bare_majority_is_chosen_anew_among_the_voters_there_are() -> None:
    settings = Settings(election_timeout_us=1_000, heartbeat_us=100, max_entries_per_message=4, defer_us=50)
    raft = leader(WITH_LEARNER, settings)
    now_us = raft.next_deadline_us
    for follower in (1, 2, 3):
        accept(raft, follower, 1)
    step(raft, Tick(now_us))
    assert receivers(step(raft, Propose(("a",)))) == {1}
    step(raft, Synced(2, 1))
    accept(raft, 1, 2)
    assert receivers(propose(raft, Membership((0, 2), (3,)))) == {2}, "the one chosen is gone"
