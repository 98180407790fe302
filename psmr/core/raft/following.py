"""A follower's side of replication: what it knows of the current leader, and what a message changes in its log."""

from __future__ import annotations

from psmr.core.raft.log_terms import LogTerms
from psmr.core.raft.messages import AppendAccepted, AppendEntries, AppendRejected


class Following:
    """What a node knows of the leader of its term; made anew with every term.

    `verified_index`: up to here the log is known to equal the leader's. `round`: the latest heard of.
    """

    __slots__ = ("_answered_index", "_answered_round", "round", "verified_index")

    def __init__(self) -> None:
        self.verified_index = 0
        self.round = 0
        self._answered_round = -1
        self._answered_index = -1

    def has_news(self, durable_index: int) -> bool:
        """Whether the leader has not been told of this round, or of entries made durable since."""
        return self.round > self._answered_round or min(durable_index, self.verified_index) > self._answered_index

    def acceptance(self, term: int, durable_index: int) -> AppendAccepted:
        """The acknowledgement to send now: only what is on disk *and* known to equal the leader's log is durable."""
        durable_index = min(durable_index, self.verified_index)
        self._answered_round = self.round
        self._answered_index = durable_index
        return AppendAccepted(term, self.round, durable_index, self.verified_index)


def entries_held(log: LogTerms, message: AppendEntries) -> int:
    """How many of the message's first entries the log already has."""
    if message.prev_index == log.last_index:
        return 0
    index = message.prev_index
    for held, term in enumerate(message.entry_terms):
        index += 1
        if log.term_at(index) != term:
            return held
    return len(message.entry_terms)


def rejection(log: LogTerms, term: int, message: AppendEntries) -> AppendRejected:
    """The answer to a message whose previous entry is not in the log.

    Entries of a greater term than `prev_term` cannot agree with the leader's at or before `prev_index`, so the hint
    skips them: a whole term a round trip instead of an entry.
    """
    hint_index = log.last_at_most(message.prev_index, message.prev_term)
    hint_term = log.term_at(hint_index)
    assert hint_term is not None, f"entry {hint_index} was found in the log but has no term"
    return AppendRejected(term, message.round, message.prev_index, hint_index, hint_term)
