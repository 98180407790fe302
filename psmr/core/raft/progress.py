"""What a leader knows of one follower's log."""

from __future__ import annotations


class Progress:
    """How far a follower has come.

    `match_index`: on the follower's disk and equal to the leader's log. `next_index`: the first entry to send.
    While `probing`, `next_index` is a guess and one message at a time asks whether it is right (`paused` while the
    answer is out); otherwise entries are sent ahead of the answers and `next_index` advances as they go.
    `heard`: whether it answered since the quorum was last checked. `round`: the latest heartbeat round it answered.
    `vouched_round`: the latest heartbeat round in which it said that it has all up to `match_index`. `lost_round`: of no later
    round is anything believed, for it may speak of what was lost since. `told_commit`: the commit index in the last message
    to it. `offer_due_us`: when to offer a snapshot again.
    """

    __slots__ = (
        "heard",
        "lost_round",
        "match_index",
        "next_index",
        "offer_due_us",
        "paused",
        "probing",
        "round",
        "told_commit",
        "vouched_round",
    )

    def __init__(self, next_index: int) -> None:
        self.match_index = 0
        self.next_index = next_index
        self.probing = True
        self.paused = False
        self.heard = False
        self.round = 0
        self.vouched_round = 0
        self.lost_round = -1
        self.told_commit = 0
        self.offer_due_us = 0

    def accept(self, round_: int, durable_index: int, verified_index: int) -> None:
        """The follower, having heard of `round_`, agrees up to `verified_index`, and up to `durable_index` on disk.

        A probe ends when everything before `next_index` is verified. An acceptance of less answers an older message;
        to send ahead on its account would repeat a whole window for every one of them.
        """
        if round_ <= self.lost_round:
            return
        if durable_index >= self.match_index:
            self.match_index = durable_index
            self.vouched_round = max(self.vouched_round, round_)
        if verified_index >= self.next_index - 1:
            self.probing = self.paused = False
            self.next_index = verified_index + 1

    def has_lost(self, round_: int, prev_index: int) -> bool:
        """Whether a follower that denies in `round_` to have `prev_index` acknowledged it once and has lost it since.

        What it said last it said in a round no earlier than any it had heard of. So a denial in a later round than its last
        word on `match_index` came after that word, and one in no later round may have come before it and been overtaken.
        """
        return prev_index <= self.match_index and round_ > self.vouched_round

    def forget(self, round_: int) -> None:
        """Nothing is known any longer of what the follower has; what it says of a round behind `round_`, the latest, is new."""
        self.match_index = 0
        self.lost_round = round_

    def probe(self, next_index: int, paused: bool) -> None:
        """Stop sending ahead; ask at `next_index`, at once unless `paused`."""
        self.probing = True
        self.paused = paused
        self.next_index = next_index
