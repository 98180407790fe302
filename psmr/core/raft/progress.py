"""What a leader knows of one follower's log."""

from __future__ import annotations


class Progress:
    """How far a follower has come.

    `match_index`: on the follower's disk and equal to the leader's log. `next_index`: the first entry to send.
    While `probing`, `next_index` is a guess and one message at a time asks whether it is right (`paused` while the
    answer is out); otherwise entries are sent ahead of the answers and `next_index` advances as they go.
    `heard`: whether it answered since the quorum was last checked. `round`: the latest heartbeat round it answered.
    `told_commit`: the commit index in the last message to it. `offer_due_us`: when to offer a snapshot again.
    """

    __slots__ = ("heard", "match_index", "next_index", "offer_due_us", "paused", "probing", "round", "told_commit")

    def __init__(self, next_index: int) -> None:
        self.match_index = 0
        self.next_index = next_index
        self.probing = True
        self.paused = False
        self.heard = False
        self.round = 0
        self.told_commit = 0
        self.offer_due_us = 0

    def accept(self, durable_index: int, verified_index: int) -> None:
        """The follower agrees up to `verified_index`, and up to `durable_index` on disk.

        A probe ends when everything before `next_index` is verified. An acceptance of less answers an older message;
        to send ahead on its account would repeat a whole window for every one of them.
        """
        if durable_index > self.match_index:
            self.match_index = durable_index
        if verified_index >= self.next_index - 1:
            self.probing = self.paused = False
            self.next_index = verified_index + 1

    def probe(self, next_index: int, paused: bool) -> None:
        """Stop sending ahead; ask at `next_index`, at once unless `paused`."""
        self.probing = True
        self.paused = paused
        self.next_index = next_index
