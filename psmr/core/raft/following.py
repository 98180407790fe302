"""A follower's side of replication: what it knows of the current leader, and what a message changes in its log."""

from __future__ import annotations

from msgspec import structs

from psmr.core.raft.log_terms import LogTerms
from psmr.core.raft.messages import AppendAccepted, AppendEntries, AppendRejected


class Following:
    """What a node knows of the leader of its term; made anew with every term.

    `verified_index`: up to here the log is known to equal the leader's; at first only what was compacted, all of it
    committed and therefore in the log of every leader to come. `round`: the latest heard of.
    """

    __slots__ = ("_answered_index", "_answered_round", "round", "verified_index")

    def __init__(self, base_index: int) -> None:
        self.verified_index = base_index
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


def behind_base(log: LogTerms, message: AppendEntries) -> AppendEntries | None:
    """The message without the entries up to the log's base, which are committed and so the same here; None if they
    are not: no correct leader sends such a message."""
    gone = log.base_index - message.prev_index
    if gone <= len(message.entry_terms) and message.entry_terms[gone - 1] != log.base_term:
        return None
    return structs.replace(
        message, prev_index=log.base_index, prev_term=log.base_term, entry_terms=message.entry_terms[gone:]
    )


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
