"""Nodes brought into a state by the shortest road, for tests that begin there."""

from __future__ import annotations

from psmr.core.raft import (
    AppendEntries,
    Effect,
    Event,
    HardState,
    LogTerms,
    Membership,
    PreVoteReply,
    Raft,
    Receive,
    Role,
    Send,
    SendEntries,
    Settings,
    Tick,
    VoteReply,
)

SETTINGS = Settings(election_timeout_us=1_000, heartbeat_us=100, max_entries_per_message=4, max_entries_in_flight=8)


def node(
    me: int = 0,
    members: tuple[int, ...] = (0, 1, 2),
    term: int = 0,
    voted_for: int | None = None,
    log: tuple[int, ...] = (),
    settings: Settings = SETTINGS,
    seed: int = 7,
    base: tuple[int, int] = (0, 0),
    memberships: tuple[tuple[int, Membership], ...] = (),
    committed: int = 0,
) -> Raft:
    """A node restarted with the entry terms `log` behind `base`, index and term, at time 0."""
    log_terms = LogTerms(base_index=base[0], base_term=base[1])
    for entry_term in log:
        log_terms.append(entry_term)
    state = HardState(term, voted_for)
    raft = Raft(me, memberships or ((0, Membership(members)),), seed, state, log_terms, settings, committed)
    step(raft, Tick(0))
    return raft


def step(raft: Raft, event: Event) -> list[Effect]:
    """One event, with the node's invariants checked after it."""
    effects = raft.handle(event)
    raft.validate()
    return effects


def elect(raft: Raft, voters: tuple[int, ...] = (1,)) -> list[Effect]:
    """Let the node's patience end and these voters agree; what it does as the new leader."""
    step(raft, Tick(raft.next_deadline_us))
    asked_term = raft.term + 1
    for voter in voters:
        step(raft, Receive(voter, PreVoteReply(raft.term, asked_term, True)))
    assert raft.role is Role.CANDIDATE
    effects: list[Effect] = []
    for voter in voters:
        effects = step(raft, Receive(voter, VoteReply(raft.term, True)))
    assert raft.role is Role.LEADER
    return effects


def append(
    raft: Raft,
    term: int,
    prev: tuple[int, int],
    entry_terms: tuple[int, ...] = (),
    commit: int = 0,
    round: int = 0,  # noqa: A002
    leader: int = 1,
) -> list[Effect]:
    """An `AppendEntries` arrives from `leader`; payloads are named after index and term."""
    message = AppendEntries(term, round, prev[0], prev[1], entry_terms, commit)
    payloads = tuple(f"{index}@{of}" for index, of in enumerate(entry_terms, prev[0] + 1))
    return step(raft, Receive(leader, message, payloads))


def sent(effects: list[Effect]) -> list[object]:
    """The messages among the effects, with or without entries."""
    return [effect.message for effect in effects if isinstance(effect, Send | SendEntries)]
