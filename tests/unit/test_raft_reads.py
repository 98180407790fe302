"""Read indexes, event by event: when a leader confirms one, and when it will not."""

from __future__ import annotations

from raft_steps import append, elect, node, sent, step

from psmr.core.raft import (
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    ConfirmRead,
    Effect,
    Raft,
    ReadConfirmed,
    ReadRejected,
    Receive,
    Role,
    Synced,
    Tick,
)


def leader(members: tuple[int, ...] = (0, 1, 2)) -> Raft:
    """A leader whose first entry, at index 1, is committed; nothing has answered round 1 yet."""
    raft = node(members=members)
    elect(raft, members[1 : len(members) // 2 + 1])
    step(raft, Synced(1, 1))
    for follower in members[1 : len(members) // 2 + 1]:
        accepts(raft, follower, 0)
    assert raft.commit == 1
    return raft


def accepts(raft: Raft, sender: int, round_: int, index: int = 1) -> list[Effect]:
    return step(raft, Receive(sender, AppendAccepted(raft.term, round_, index, index)))


def rounds(effects: list[Effect]) -> list[int]:
    return [message.round for message in sent(effects) if isinstance(message, AppendEntries)]


def answers(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, ReadConfirmed | ReadRejected)]


def test_a_request_begins_a_round_at_once_and_is_confirmed_by_a_majority() -> None:
    raft = leader()
    effects = step(raft, ConfirmRead(70, 2))
    assert rounds(effects) == [1, 1]
    assert answers(effects) == []
    assert answers(accepts(raft, 1, 0)) == []
    assert answers(accepts(raft, 1, 1)) == [ReadConfirmed(70, 2, 1)]
    assert answers(accepts(raft, 2, 1)) == []


def test_of_five_two_others_must_answer() -> None:
    raft = leader((0, 1, 2, 3, 4))
    step(raft, ConfirmRead(70, 0))
    assert answers(accepts(raft, 3, 1)) == []
    assert answers(accepts(raft, 3, 1)) == []
    assert answers(accepts(raft, 1, 1)) == [ReadConfirmed(70, 0, 1)]


def test_a_rejection_of_this_term_also_says_who_leads() -> None:
    raft = leader()
    step(raft, ConfirmRead(70, 0))
    effects = step(raft, Receive(2, AppendRejected(raft.term, 1, 1, 0, 0)))
    assert answers(effects) == [ReadConfirmed(70, 0, 1)]


def test_requests_during_a_round_share_the_next_one() -> None:
    raft = leader()
    step(raft, ConfirmRead(1, 0))
    assert rounds(step(raft, ConfirmRead(2, 1)) + step(raft, ConfirmRead(3, 2))) == []
    effects = accepts(raft, 1, 1)
    assert answers(effects) == [ReadConfirmed(1, 0, 1)]
    assert rounds(effects) == [2, 2]
    assert answers(accepts(raft, 2, 1)) == []
    assert answers(accepts(raft, 2, 2)) == [ReadConfirmed(2, 1, 1), ReadConfirmed(3, 2, 1)]


def test_a_lost_round_is_made_good_by_the_next_heartbeat() -> None:
    raft = leader()
    step(raft, ConfirmRead(1, 0))
    step(raft, ConfirmRead(2, 0))
    assert rounds(step(raft, Tick(raft.next_deadline_us))) == [2, 2]
    assert answers(accepts(raft, 1, 2)) == [ReadConfirmed(1, 0, 1), ReadConfirmed(2, 0, 1)]


def test_nothing_is_confirmed_before_an_entry_of_the_term_is_committed() -> None:
    raft = node(term=1, log=(1, 1))
    elect(raft)
    assert raft.term == 2
    assert step(raft, ConfirmRead(70, 0)) == []
    step(raft, Tick(raft.next_deadline_us))
    assert answers(accepts(raft, 1, 1, index=2)) == []
    step(raft, Synced(3, 2))
    effects = accepts(raft, 1, 1, index=3)
    assert raft.commit == 3
    assert 2 in rounds(effects)
    assert answers(effects) == []
    assert answers(accepts(raft, 2, 2, index=0)) == [ReadConfirmed(70, 0, 3)]


def test_whoever_does_not_lead_rejects() -> None:
    raft = node()
    append(raft, 1, (0, 0))
    assert step(raft, ConfirmRead(70, 2)) == [ReadRejected(70, 2)]


def test_a_leader_that_hears_of_another_term_rejects_everything() -> None:
    raft = leader()
    step(raft, ConfirmRead(1, 0))
    step(raft, ConfirmRead(2, 2))
    effects = append(raft, raft.term + 1, (1, 1), leader=2)
    assert answers(effects) == [ReadRejected(1, 0), ReadRejected(2, 2)]
    assert raft.role is Role.FOLLOWER


def test_a_leader_that_hears_nobody_rejects_everything() -> None:
    raft = leader()
    step(raft, Tick(1_000_000))
    step(raft, ConfirmRead(1, 0))
    effects: list[Effect] = []
    while raft.role is Role.LEADER:
        effects = step(raft, Tick(raft.next_deadline_us))
    assert answers(effects) == [ReadRejected(1, 0)]


def test_one_alone_confirms_at_once() -> None:
    raft = node(members=(0,))
    step(raft, ConfirmRead(1, 0))
    step(raft, Synced(1, 1))
    assert step(raft, ConfirmRead(2, 0)) == [ReadConfirmed(2, 0, 1)]


def test_one_alone_holds_until_its_first_entry_is_on_disk() -> None:
    raft = node(members=(0,))
    assert step(raft, ConfirmRead(1, 0)) == []
    assert ReadConfirmed(1, 0, 1) in step(raft, Synced(1, 1))
