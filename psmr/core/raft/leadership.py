"""A leader's term in office: what each follower has, what to send it, and what a majority holds."""

from __future__ import annotations

from psmr.core.raft.log_terms import LogTerms
from psmr.core.raft.membership import Membership
from psmr.core.raft.messages import AppendAccepted, AppendEntries, AppendRejected
from psmr.core.raft.progress import Progress
from psmr.core.raft.quorum import Quorum
from psmr.core.raft.settings import Settings
from psmr.errors import Violation


class Leadership:
    """Made when a node becomes leader of `term`, dropped when it steps down. Reads the node's log, never changes it."""

    __slots__ = (
        "_counts_me",
        "_log",
        "_majority",
        "_me",
        "_progress",
        "_settings",
        "_term",
        "_voting",
        "heartbeat_due_us",
        "quorum",
        "quorum_due_us",
        "round",
    )

    def __init__(self, term: int, me: int, membership: Membership, log: LogTerms, settings: Settings) -> None:
        self._term = term
        self._me = me
        self._log = log
        self._settings = settings
        self._progress: dict[int, Progress] = {}
        self.quorum = Quorum(self._progress, settings.defer_us, settings.max_entries_per_message)
        self.round = 0
        self.heartbeat_due_us = 0
        self.quorum_due_us = 0
        self.change(membership, log.last_index + 1)

    def change(self, membership: Membership, next_index: int) -> None:
        """Another membership is in force: of whoever is new in it, guess that `next_index` is the first entry to send."""
        others = [member for member in membership.members if member != self._me]
        for peer in [peer for peer in self._progress if peer not in others]:
            del self._progress[peer]
        for peer in others:
            if peer not in self._progress:
                self._progress[peer] = Progress(next_index)
        voting = tuple(voter for voter in membership.voters if voter != self._me)
        self._counts_me = self._me in membership.voters
        self._voting = tuple(self._progress[peer] for peer in voting)
        self._majority = membership.majority
        self.quorum.change(voting, self._majority - self._counts_me)

    def match_index(self, peer: int) -> int:
        """What is known to be on the follower's disk and equal; 0 for who is none."""
        progress = self._progress.get(peer)
        return 0 if progress is None else progress.match_index

    def next_entries(self, peer: int, commit: int) -> AppendEntries | None:
        """The next message with entries for `peer`, counted as sent; None when there is nothing to send or no room."""
        progress, log, settings = self._progress[peer], self._log, self._settings
        first = progress.next_index
        if first <= self._log.base_index:
            return None
        if first > log.last_index or progress.paused:
            return None
        count = min(log.last_index - first + 1, settings.max_entries_per_message)
        if not progress.probing:
            count = min(count, settings.max_entries_in_flight - (first - 1 - progress.match_index))
        if count <= 0:
            return None
        if progress.probing:
            progress.paused = True
        else:
            progress.next_index = first + count
        return self._message(progress, first, self._log.terms_between(first, first + count - 1), commit)

    def heartbeat(self, peer: int, commit: int) -> AppendEntries:
        """A message without entries: it asks whether everything sent so far has arrived; or, of a follower that needs
        a snapshot, whether it has one."""
        progress = self._progress[peer]
        return self._message(progress, max(progress.next_index, self._log.base_index + 1), (), commit)

    def offers_snapshot(self, peer: int, now_us: int) -> bool:
        """Whether to offer the follower, which has just denied that it has an entry, a snapshot."""
        progress = self._progress[peer]
        if progress.next_index > self._log.base_index or now_us < progress.offer_due_us:
            return False
        progress.offer_due_us = now_us + self._settings.heartbeat_us
        return True

    def owes_commit(self, peer: int, commit: int) -> bool:
        """Whether the follower can be told of a commit that no message to it has told."""
        progress = self._progress[peer]
        return not progress.probing and progress.told_commit < commit

    def owes(self, peer: int, commit: int) -> bool:
        """Whether there are entries or a commit to send to the follower, were it its turn."""
        next_index = self._progress[peer].next_index
        return self._log.base_index < next_index <= self._log.last_index or self.owes_commit(peer, commit)

    def accepted(self, peer: int, message: AppendAccepted) -> None:
        """Take an acceptance of this term."""
        progress = self._progress[peer]
        progress.heard = True
        progress.round = max(progress.round, message.round)
        if message.verified_index <= self._log.last_index:
            progress.accept(message.round, message.durable_index, message.verified_index)

    def rejected(self, peer: int, message: AppendRejected) -> None:
        """Take a rejection of this term: go back to where the logs can first agree.

        One that answers an older message than the last probe, or that denies what the follower has acknowledged since, was
        overtaken and says nothing. A follower that denies later what it acknowledged has lost it: its log was not synced when
        its machine stopped, or its last entries were damaged. It is sent them again, and counts for nothing until it has heard of
        the next round: what it said before may have been said before it lost them.
        """
        progress = self._progress[peer]
        progress.heard = True
        progress.round = max(progress.round, message.round)
        if progress.has_lost(message.round, message.prev_index):
            progress.forget(self.round)
        if not progress.match_index < message.prev_index < progress.next_index:
            return
        if progress.probing and message.prev_index != progress.next_index - 1:
            return
        agreed = self._log.last_at_most(message.hint_index, message.hint_term)
        next_index = max(progress.match_index, min(agreed, message.prev_index - 1)) + 1
        progress.probe(next_index, paused=False)

    def unreachable(self, peer: int) -> None:
        """Wait for the next heartbeat's answer before sending entries again."""
        progress = self._progress[peer]
        progress.probe(progress.match_index + 1 if progress.match_index else progress.next_index, paused=True)

    def majority_index(self, own_durable_index: int) -> int:
        """The greatest index that is on the disks of a majority of voters, this node's own included if it votes."""
        matches = [progress.match_index for progress in self._voting]
        if self._counts_me:
            matches.append(own_durable_index)
        matches.sort()
        return matches[-self._majority]

    def majority_round(self) -> int:
        """The latest heartbeat round that a majority has answered, this node included if it votes."""
        rounds = [progress.round for progress in self._voting]
        if self._counts_me:
            rounds.append(self.round)
        rounds.sort()
        return rounds[-self._majority]

    def take_quorum(self) -> bool:
        """Whether a majority, this node included if it votes, was heard since the last call."""
        heard = self._counts_me + sum(progress.heard for progress in self._voting)
        for progress in self._progress.values():
            progress.heard = False
        return heard >= self._majority

    def validate(self) -> None:
        """Raise `Violation` unless every follower's progress lies within the log."""
        last_index = self._log.last_index
        for peer, progress in self._progress.items():
            if not 0 <= progress.match_index < progress.next_index <= last_index + 1:
                raise Violation(
                    f"expected match_index < next_index <= {last_index + 1} for follower {peer}, found "
                    f"{progress.match_index} and {progress.next_index}"
                )

    def _message(
        self, progress: Progress, first_index: int, entry_terms: tuple[int, ...], commit: int
    ) -> AppendEntries:
        progress.told_commit = commit
        prev_index = first_index - 1
        prev_term = self._log.term_at(prev_index)
        assert prev_term is not None, f"entry {prev_index} was sent but is not in the log"
        return AppendEntries(self._term, self.round, prev_index, prev_term, entry_terms, commit)
