"""The state of one member of a Raft group, and the changes of it that several rules share."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft.effects import Append, Commit, Effect, MembershipChanged, RoleChanged, SaveHardState, Truncate
from psmr.core.raft.election_timer import ElectionTimer
from psmr.core.raft.following import Following
from psmr.core.raft.leadership import Leadership
from psmr.core.raft.log_terms import LogTerms
from psmr.core.raft.membership import Membership, Memberships
from psmr.core.raft.messages import PreVoteRequest, VoteRequest
from psmr.core.raft.reads import ReadRequests
from psmr.core.raft.settings import HardState, Role, Settings
from psmr.errors import Violation


class Member:
    """Replica `me`, restarted from a saved term and vote and from a log that is on disk entirely.

    `memberships`: (index from which in force, membership), oldest first. The first was in force at the log's base: the
    founding one, whose index is 0, a snapshot's, or, of a replica that is to join, one without voters. `committed`: up to where
    the disk remembers this log to be committed.
    """

    def __init__(
        self,
        me: int,
        memberships: Sequence[tuple[int, Membership]],
        seed: int,
        hard_state: HardState,
        log_terms: LogTerms,
        settings: Settings,
        committed: int = 0,
    ) -> None:
        self._me = me
        self._settings = settings
        self._log = log_terms.copy()
        self._memberships = Memberships(memberships)
        self._term = hard_state.term
        self._voted_for = hard_state.voted_for
        self._role = Role.FOLLOWER
        self._leader: int | None = None
        self._leader_heard_us = 0
        self._votes: set[int] = set()
        self._following = Following(self._log.base_index)
        self._leadership: Leadership | None = None
        self._take_membership()
        self._reads = ReadRequests()
        self._commit = max(self._log.base_index, min(committed, self._log.last_index))
        self._durable_index = self._log.last_index
        self._truncations = 0
        self._now_us = 0
        self._timer = ElectionTimer(seed, me, settings.election_timeout_us)
        self._ticked = False
        self._effects: list[Effect] = []
        self._reported: tuple[Role, int, int | None] = (self._role, self._term, self._leader)
        self._saved = hard_state
        self._memberships.settle(self._commit)
        self.validate()

    @property
    def role(self) -> Role:
        """What this node is now."""
        return self._role

    @property
    def term(self) -> int:
        """The latest term this node knows of."""
        return self._term

    @property
    def voted_for(self) -> int | None:
        """Whom this node voted for in `term`."""
        return self._voted_for

    @property
    def leader(self) -> int | None:
        """The leader of `term`, when known."""
        return self._leader

    @property
    def commit(self) -> int:
        """The greatest index known to be committed."""
        return self._commit

    @property
    def last_index(self) -> int:
        """The index of the last entry, on disk or not."""
        return self._log.last_index

    @property
    def last_term(self) -> int:
        """The term of the last entry."""
        return self._log.last_term

    @property
    def base_index(self) -> int:
        """The index up to which entries are gone from the log: a snapshot has them."""
        return self._log.base_index

    @property
    def durable_index(self) -> int:
        """The index up to which the log is known to be on disk."""
        return self._durable_index

    @property
    def membership(self) -> Membership:
        """The membership in force."""
        return self._membership

    @property
    def membership_index(self) -> int:
        """The index of the entry that says the membership in force; that of the first given, if no entry does."""
        return self._in_force[0]

    def match_index(self, peer: int) -> int:
        """Up to where the log of `peer` is known to be on its disk and equal; 0 unless this node leads and sends to it."""
        return 0 if self._leadership is None else self._leadership.match_index(peer)

    @property
    def truncations(self) -> int:
        """How many `Truncate` effects were given; a sync's notice repeats the number from when it began."""
        return self._truncations

    @property
    def next_deadline_us(self) -> int:
        """When the next `Tick` is needed at the latest; 0, which is at once, before the first."""
        if not self._ticked:
            return 0
        leadership = self._leadership
        if leadership is not None:
            return min(leadership.heartbeat_due_us, leadership.quorum_due_us, leadership.quorum.due_us)
        return self._timer.deadline_us

    def validate(self) -> None:
        """Raise `Violation` unless the node's own invariants hold; tests call it after every event."""
        self._log.validate()
        last_index = self._log.last_index
        leads = self._role is Role.LEADER
        invariants = (
            ("base_index <= commit <= last_index", self._log.base_index <= self._commit <= last_index),
            ("base_index <= durable_index <= last_index", self._log.base_index <= self._durable_index <= last_index),
            ("verified_index <= last_index", self._following.verified_index <= last_index),
            ("last_term <= term", self._log.last_term <= self._term),
            ("the settled membership to be committed", self._memberships.first_index <= self._commit),
            ("membership_index <= last_index", self.membership_index <= last_index),
            ("the latest membership to be in force", self._in_force is self._memberships.latest),
            ("a leader, and no other, holds a leadership", (self._leadership is not None) == leads),
            ("a leader, and no other, is its own leader", (self._leader == self._me) == leads),
            ("a leader's last entry is of its term", not leads or self._log.last_term == self._term),
            ("a leader, and no other, holds requests to read", leads or not len(self._reads)),
            ("a candidate or leader voted for itself", self._voted_for == self._me or not self._is_elected_or_stands()),
            ("term and vote are saved", (self._saved.term, self._saved.voted_for) == (self._term, self._voted_for)),
        )
        for text, holds in invariants:
            if not holds:
                raise Violation(f"replica {self._me}: expected {text}, found {self.describe()}; stop this replica")
        if self._leadership is not None:
            self._leadership.validate()

    def describe(self) -> str:
        """The state in a line, for messages."""
        return (
            f"role {self._role.value}, term {self._term}, vote {self._voted_for}, leader {self._leader}, commit "
            f"{self._commit}, durable_index {self._durable_index}, verified_index {self._following.verified_index}, "
            f"base_index {self._log.base_index}, last_index {self._log.last_index}, last_term {self._log.last_term}, "
            f"{self._membership} since {self.membership_index}"
        )

    def _follow(self, term: int, leader: int | None) -> None:
        if term > self._term:
            self._term = term
            self._voted_for = None
        if self._role is Role.LEADER:
            self._timer.hear(self._now_us)
            self._effects.extend(self._reads.reject())
        self._role = Role.FOLLOWER
        self._leader = leader
        self._leadership = None
        self._following = Following(self._log.base_index)

    def _hears_leader(self) -> bool:
        """A live leader is not voted out: whoever lost sight of it alone must not depose it (thesis, 6.2)."""
        if self._leader is None or self._leadership is not None:
            return self._leadership is not None
        return self._now_us < self._leader_heard_us + self._settings.election_timeout_us

    def _is_up_to_date(self, message: PreVoteRequest | VoteRequest) -> bool:
        return (message.last_term, message.last_index) >= (self._log.last_term, self._log.last_index)

    def _append(
        self,
        first_index: int,
        entry_terms: tuple[int, ...],
        payloads: tuple[object, ...],
        changes: tuple[tuple[int, Membership], ...] = (),
    ) -> bool:
        """Put entries at `first_index`, dropping what stands there; False, and no change, if that is settled."""
        if first_index <= self._log.last_index:
            if first_index <= max(self._commit, self._following.verified_index):
                return False
            self._log.truncate(first_index)
            self._truncations += 1
            self._durable_index = min(self._durable_index, first_index - 1)
            self._effects.append(Truncate(first_index))
            self._memberships.truncate(first_index)
        self._log.extend(entry_terms)
        self._effects.append(Append(first_index, entry_terms, payloads))
        for index, membership in changes:
            if first_index <= index <= self._log.last_index:
                self._memberships.append(index, membership)
        if self._memberships.latest is not self._in_force:
            self._take_membership()
            self._effects.append(MembershipChanged(*self._in_force))
        return True

    def _take_membership(self) -> None:
        """What follows from the membership in force, kept at hand: it changes rarely and is asked for all the time."""
        self._in_force = self._memberships.latest
        index, membership = self._in_force
        self._membership = membership
        self._peers = tuple(member for member in membership.members if member != self._me)
        self._votes_here = self._me in membership.voters
        self._majority = membership.majority
        if self._leadership is not None:
            self._leadership.change(membership, index)

    def _advance_commit(self, index: int) -> None:
        if index > self._commit:
            self._commit = index
            self._effects.append(Commit(index))
            if index >= self._memberships.settles_at:
                self._memberships.settle(index)

    def _report_changes(self, effects: list[Effect]) -> None:
        """What changed of term, vote and role goes first: a vote must be on disk before it is on its way."""
        reported = (self._role, self._term, self._leader)
        if reported != self._reported:
            self._reported = reported
            effects.insert(0, RoleChanged(*reported))
        if self._term != self._saved.term or self._voted_for != self._saved.voted_for:
            self._saved = HardState(self._term, self._voted_for)
            effects.insert(0, SaveHardState(self._term, self._voted_for))

    def _is_elected_or_stands(self) -> bool:
        return self._role in (Role.LEADER, Role.CANDIDATE)
