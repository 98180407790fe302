"""What members say to each other: msgspec structs, tagged arrays on the wire (`msgspec.msgpack`, type `Message`).

Every message carries the sender's term at the time it was sent. Payloads travel beside an `AppendEntries`, not in it.
"""

from __future__ import annotations

import msgspec

NUMBER_MAX = 2**62
"""No term, index or round reaches this; a larger one is garbage."""


class _Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    term: int


class PreVoteRequest(_Message, frozen=True, array_like=True, gc=False, tag=1):
    """Would you vote for me in `term + 1`, given that my log ends so? Changes nobody's term."""

    last_index: int
    last_term: int


class PreVoteReply(_Message, frozen=True, array_like=True, gc=False, tag=2):
    """The answer for `asked_term`, the term that the pre-candidate would start."""

    asked_term: int
    granted: bool


class VoteRequest(_Message, frozen=True, array_like=True, gc=False, tag=3):
    """Vote for me in `term`, given that my log ends so."""

    last_index: int
    last_term: int


class VoteReply(_Message, frozen=True, array_like=True, gc=False, tag=4):
    """The answer, in `term`."""

    granted: bool


class AppendEntries(_Message, frozen=True, array_like=True, gc=False, tag=5):
    """Entries after (`prev_index`, `prev_term`), and the leader's commit index; without entries, a heartbeat.

    `round` counts the leader's heartbeats; the answer repeats it, so a majority of answers to a round proves that
    the sender still led when it began.
    """

    round: int
    prev_index: int
    prev_term: int
    entry_terms: tuple[int, ...]
    commit: int

    @property
    def first_index(self) -> int:
        """The index of the first entry."""
        return self.prev_index + 1

    @property
    def last_index(self) -> int:
        """The index of the last entry; `prev_index` when there is none."""
        return self.prev_index + len(self.entry_terms)


class AppendAccepted(_Message, frozen=True, array_like=True, gc=False, tag=6):
    """The follower's log agrees with the leader's up to `verified_index`; up to `durable_index` it is on disk."""

    round: int
    durable_index: int
    verified_index: int


class AppendRejected(_Message, frozen=True, array_like=True, gc=False, tag=7):
    """The follower has no entry (`prev_index`, term sent). The logs can first agree at `hint_index`, of `hint_term`."""

    round: int
    prev_index: int
    hint_index: int
    hint_term: int


Message = PreVoteRequest | PreVoteReply | VoteRequest | VoteReply | AppendEntries | AppendAccepted | AppendRejected


def is_well_formed(message: Message) -> bool:
    """Whether the numbers can have come from a correct sender, whatever its state; others are to be dropped."""
    if not 0 <= message.term < NUMBER_MAX:
        return False
    if isinstance(message, AppendAccepted):
        return 0 <= message.durable_index <= message.verified_index < NUMBER_MAX and _is_number(message.round)
    if isinstance(message, AppendEntries):
        return _is_append_well_formed(message)
    if isinstance(message, AppendRejected):
        hint = _is_position(message.hint_index, message.hint_term)
        return hint and message.hint_index <= message.prev_index < NUMBER_MAX and _is_number(message.round)
    if isinstance(message, VoteRequest | PreVoteRequest):
        return _is_position(message.last_index, message.last_term) and message.last_term <= message.term
    if isinstance(message, PreVoteReply):
        return _is_number(message.asked_term)
    return isinstance(message, VoteReply)


def _is_append_well_formed(message: AppendEntries) -> bool:
    if not (_is_position(message.prev_index, message.prev_term) and 0 <= message.round < NUMBER_MAX):
        return False
    if not (0 <= message.commit < NUMBER_MAX and message.term > 0):
        return False
    entry_terms = message.entry_terms
    if not entry_terms:
        return message.prev_term <= message.term
    if entry_terms[0] < 1 or entry_terms[0] < message.prev_term or entry_terms[-1] > message.term:
        return False
    return len(entry_terms) == 1 or list(entry_terms) == sorted(entry_terms)


def _is_position(index: int, term: int) -> bool:
    """Terms start at 1 and so do indexes; (0, 0) is the position before the log."""
    return 0 <= index < NUMBER_MAX and 0 <= term < NUMBER_MAX and (index == 0) == (term == 0)


def _is_number(value: int) -> bool:
    return 0 <= value < NUMBER_MAX
