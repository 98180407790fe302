"""One member of a Raft group: events in, effects out, nothing else.

FOLLOWER ──no leader for a timeout──► PRE_CANDIDATE ──a majority would vote──► CANDIDATE ──it did──► LEADER
    ▲                                       │                                      │                    │
    └──── a leader, a greater term, or (a leader only) no majority heard ──────────┴────────────────────┘
"""

from __future__ import annotations

from psmr.core.raft.effects import (
    NOOP,
    Append,
    Effect,
    MembershipRefused,
    ReadRejected,
    Rejected,
    Send,
    SendEntries,
    SendSnapshot,
)
from psmr.core.raft.events import (
    Compacted,
    ConfirmRead,
    Event,
    Heard,
    Propose,
    ProposeMembership,
    Receive,
    Synced,
    Tick,
)
from psmr.core.raft.following import Following, behind_base, entries_held, rejection
from psmr.core.raft.leadership import Leadership
from psmr.core.raft.member import Member
from psmr.core.raft.membership import Membership, change_fault
from psmr.core.raft.messages import (
    NUMBER_MAX,
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    Message,
    PreVoteReply,
    PreVoteRequest,
    VoteReply,
    VoteRequest,
    is_well_formed,
)
from psmr.core.raft.quorum import NEVER_US
from psmr.core.raft.settings import Role
from psmr.errors import Violation


class Raft(Member):
    """Replica `me`, restarted from a saved term and vote and from a log that is on disk entirely (see `Member`).

    The same arguments and events give the same effects. The commit index starts at what the disk remembers, which is at least
    the log's base: what was committed once is for ever. Nothing that arrives from another member raises: what no correct
    member can have sent is dropped.
    """

    def handle(self, event: Event) -> list[Effect]:
        """Take one event; the effects are to be performed in order, before the next event is handed over."""
        effects: list[Effect] = []
        self._effects = effects
        if isinstance(event, Receive):
            self._on_receive(event.sender, event.message, event.payloads, event.changes)
        elif isinstance(event, Tick):
            self._on_tick(event.now_us)
        elif isinstance(event, Propose):
            self._on_propose(event.payloads, event.forwarded_by)
        elif isinstance(event, Synced):
            self._on_synced(event)
        elif isinstance(event, ConfirmRead):
            self._on_confirm_read(event)
        elif isinstance(event, Compacted):
            self._on_compacted(event.index)
        elif isinstance(event, ProposeMembership):
            self._on_propose_membership(event.membership, event.payload)
        elif isinstance(event, Heard):
            self._on_heard(event.term)
        elif self._leadership is not None and event.peer in self._peers:
            self._leadership.unreachable(event.peer)
        if (self._role, self._term, self._leader) != self._reported or self._voted_for != self._saved.voted_for:
            self._report_changes(effects)
        return effects

    def pass_time(self, now_us: int) -> list[Effect]:
        """As `handle(Tick(now_us))`, at little cost before `next_deadline_us`: until then a tick does nothing."""
        if now_us >= self.next_deadline_us:
            return self.handle(Tick(now_us))
        if now_us > self._now_us:
            self._now_us = now_us
        return []

    # Elections

    def _on_tick(self, now_us: int) -> None:
        self._now_us = max(self._now_us, now_us)
        if not self._ticked:
            self._ticked = True
            self._timer.restart(self._now_us)
            if self._membership.voters == (self._me,):
                self._stand(Role.PRE_CANDIDATE)
        leadership = self._leadership
        if leadership is None:
            if self._now_us >= self._timer.deadline_us:
                self._lose_patience()
            return
        if self._now_us >= leadership.quorum_due_us:
            leadership.quorum_due_us = self._now_us + self._settings.election_timeout_us
            if not leadership.take_quorum():
                self._follow(self._term, None)
                return
        if self._now_us >= leadership.quorum.due_us:
            self._send_put_off(leadership)
        if self._now_us >= leadership.heartbeat_due_us:
            self._beat(leadership)

    def _lose_patience(self) -> None:
        if self._memberships.may_stand(self._me):
            self._stand(Role.PRE_CANDIDATE)
            return
        self._follow(self._term, None)
        self._timer.redraw(self._term)
        self._timer.restart(self._now_us)

    def _stand(self, role: Role) -> None:
        """Ask for votes: as a pre-candidate without consequence, as a candidate in a new term."""
        self._role = role
        self._leader = None
        self._votes = set()
        self._timer.redraw(self._term)
        self._timer.restart(self._now_us)
        request: type[PreVoteRequest] | type[VoteRequest] = PreVoteRequest
        if role is Role.CANDIDATE:
            self._term += 1
            self._voted_for = self._me
            self._following = Following(self._log.base_index)
            request = VoteRequest
        for voter in self._membership.voters:
            if voter != self._me:
                self._effects.append(Send(voter, request(self._term, self._log.last_index, self._log.last_term)))
        self._count_vote(self._me)

    def _count_vote(self, voter: int) -> None:
        if voter in self._membership.voters:
            self._votes.add(voter)
        if len(self._votes) < self._majority:
            return
        if self._role is Role.PRE_CANDIDATE:
            self._stand(Role.CANDIDATE)
        elif self._role is Role.CANDIDATE:
            self._lead()

    def _lead(self) -> None:
        self._role = Role.LEADER
        self._leader = self._me
        self._leadership = leadership = Leadership(self._term, self._me, self._membership, self._log, self._settings)
        leadership.heartbeat_due_us = self._now_us + self._settings.heartbeat_us
        leadership.quorum_due_us = self._now_us + self._settings.election_timeout_us
        # Entries of earlier terms are committed by committing one of this term behind them; do not wait for a client.
        self._on_propose((NOOP,))

    def _on_pre_vote_request(self, sender: int, message: PreVoteRequest) -> None:
        granted = message.term >= self._term and not self._hears_leader() and self._is_up_to_date(message)
        self._effects.append(Send(sender, PreVoteReply(self._term, message.term + 1, granted)))

    def _on_pre_vote_reply(self, sender: int, message: PreVoteReply) -> None:
        if self._role is Role.PRE_CANDIDATE and message.granted and message.asked_term == self._term + 1:
            self._count_vote(sender)

    def _on_vote_request(self, sender: int, message: VoteRequest) -> None:
        granted = message.term == self._term and not self._hears_leader() and self._is_up_to_date(message)
        granted = granted and self._voted_for in (None, sender)
        if granted:
            # Whoever asks has a majority's pre-votes: stop standing and give it a full timeout.
            self._voted_for = sender
            self._follow(self._term, None)
            self._timer.restart(self._now_us)
        self._effects.append(Send(sender, VoteReply(self._term, granted)))

    def _on_vote_reply(self, sender: int, message: VoteReply) -> None:
        if self._role is Role.CANDIDATE and message.granted and message.term == self._term:
            self._count_vote(sender)

    # Messages

    def _on_receive(
        self,
        sender: int,
        message: Message,
        payloads: tuple[object, ...],
        changes: tuple[tuple[int, Membership], ...],
    ) -> None:
        # Whoever is outside the membership is heard, and voted for: its log may say a later one (thesis, 4.1).
        if sender == self._me or sender < 0 or not is_well_formed(message):
            return
        # A pre-vote's sender may be ahead only because it was alone: asking must not move anybody's term. A vote
        # request beside a live leader likewise; whoever is really ahead says so when that leader next writes to it.
        if message.term > self._term and not isinstance(message, PreVoteRequest):
            if isinstance(message, VoteRequest) and self._hears_leader():
                return
            self._follow(message.term, None)
        if isinstance(message, AppendAccepted):
            self._on_append_accepted(sender, message)
        elif isinstance(message, AppendEntries):
            self._on_append_entries(sender, message, payloads, changes)
        elif isinstance(message, AppendRejected):
            self._on_append_rejected(sender, message)
        elif isinstance(message, PreVoteRequest):
            self._on_pre_vote_request(sender, message)
        elif isinstance(message, PreVoteReply):
            self._on_pre_vote_reply(sender, message)
        elif isinstance(message, VoteRequest):
            self._on_vote_request(sender, message)
        else:
            self._on_vote_reply(sender, message)

    def _on_heard(self, term: int) -> None:
        if self._term < term < NUMBER_MAX:
            self._follow(term, None)

    # Following a leader

    def _on_append_entries(
        self,
        sender: int,
        message: AppendEntries,
        payloads: tuple[object, ...],
        changes: tuple[tuple[int, Membership], ...],
    ) -> None:
        if len(payloads) != len(message.entry_terms):
            return
        if message.term < self._term:
            # Tells a deposed leader the term; one that lost sight of a live leader comes back this way, too.
            self._effects.append(Send(sender, AppendRejected(self._term, 0, message.prev_index, 0, 0)))
            return
        if self._leader not in (None, sender):
            return
        if self._leader is None:
            self._follow(self._term, sender)
        self._leader_heard_us = self._now_us
        self._timer.hear(self._now_us)
        following = self._following
        if message.round > following.round:
            following.round = message.round
        if message.prev_index < self._log.base_index:
            behind = behind_base(self._log, message)
            if behind is None:
                return
            payloads = payloads[len(payloads) - len(behind.entry_terms) :]
            message = behind
        if self._log.term_at(message.prev_index) != message.prev_term:
            self._effects.append(Send(sender, rejection(self._log, self._term, message)))
            return
        self._accept(sender, message, payloads, changes)

    def _accept(
        self,
        leader: int,
        message: AppendEntries,
        payloads: tuple[object, ...],
        changes: tuple[tuple[int, Membership], ...],
    ) -> None:
        held = entries_held(self._log, message)
        is_new = held < len(message.entry_terms)
        first_index = message.first_index + held
        if is_new and not self._append(first_index, message.entry_terms[held:], payloads[held:], changes):
            return
        following = self._following
        last_index = message.last_index
        if last_index > following.verified_index:
            following.verified_index = last_index
        self._advance_commit(min(message.commit, following.verified_index))
        # New entries are acknowledged once on disk. A repeated message is answered: its answer may have been lost.
        if not is_new and (message.entry_terms or following.has_news(self._durable_index)):
            self._acknowledge(leader)

    def _acknowledge(self, leader: int) -> None:
        self._effects.append(Send(leader, self._following.acceptance(self._term, self._durable_index)))

    # Leading

    def _on_propose(self, payloads: tuple[object, ...], forwarded_by: tuple[int, ...] = ()) -> None:
        if self._leadership is None:
            self._effects.append(Rejected(len(payloads), self._leader))
        elif payloads:
            first_index = self._log.last_index + 1
            self._log.append(self._term, len(payloads))
            self._effects.append(Append(first_index, (self._term,) * len(payloads), payloads))
            for peer in forwarded_by:
                self._leadership.quorum.serves(peer, self._now_us)
            for peer in self._peers:
                self._replicate_in_turn(self._leadership, peer)

    def _on_propose_membership(self, membership: Membership, payload: object) -> None:
        leadership = self._leadership
        reason = self._refusal(membership)
        if reason is not None or leadership is None:
            self._effects.append(MembershipRefused(reason or ""))
            return
        index = self._log.last_index + 1
        self._append(index, (self._term,), (payload,), ((index, membership),))
        for peer in self._peers:
            self._replicate_in_turn(leadership, peer)

    def _refusal(self, membership: Membership) -> str | None:
        """Why the membership cannot be proposed now; None if it can."""
        if self._leadership is None:
            return f"expected the leader to be asked: that is replica {self._leader}, if any"
        if not self._knows_commit():
            return "expected an entry of the leader's term to be committed first: try again"
        if self.membership_index > self._commit:
            return f"expected one change at a time, found that of entry {self.membership_index} under way: try again"
        if fault := change_fault(self._membership, membership):
            return fault
        for voter in membership.voters:
            match_index = self._leadership.match_index(voter)
            lag = self._log.last_index - match_index
            # One that has never answered has nothing, however short the log.
            is_behind = lag > self._settings.max_entries_in_flight or not match_index
            if voter in self._membership.learners and is_behind:
                return f"expected learner {voter} to have nearly all of the log, found it {lag} entries behind: wait"
        return None

    def _retire(self, leadership: Leadership) -> None:
        """The membership that removed this leader is committed: say so, and lead no longer."""
        for peer in self._peers:
            if leadership.owes_commit(peer, self._commit):
                self._effects.append(Send(peer, leadership.heartbeat(peer, self._commit)))
        self._follow(self._term, None)

    def _replicate_in_turn(self, leadership: Leadership, peer: int) -> bool:
        """Send at once to a follower that a commit may wait for, and to others later; whether anything was sent."""
        if leadership.quorum.wants_entries(peer, self._log.last_index, self._now_us):
            return self._replicate(leadership, peer)
        if leadership.owes(peer, self._commit):
            leadership.quorum.put_off(self._now_us)
        return False

    def _send_put_off(self, leadership: Leadership) -> None:
        leadership.quorum.due_us = NEVER_US
        for peer in self._peers:
            if not self._replicate(leadership, peer) and leadership.owes_commit(peer, self._commit):
                self._effects.append(Send(peer, leadership.heartbeat(peer, self._commit)))

    def _replicate(self, leadership: Leadership, peer: int) -> bool:
        """Send what may be sent ahead; whether anything was."""
        sent = False
        while (message := leadership.next_entries(peer, self._commit)) is not None:
            self._effects.append(SendEntries(peer, message))
            sent = True
        return sent

    def _beat(self, leadership: Leadership) -> None:
        leadership.round += 1
        leadership.heartbeat_due_us = self._now_us + self._settings.heartbeat_us
        if self._knows_commit():
            self._reads.round_begins(leadership.round, self._commit)
        for peer in self._peers:
            self._effects.append(Send(peer, leadership.heartbeat(peer, self._commit)))

    def _on_confirm_read(self, event: ConfirmRead) -> None:
        if self._leadership is None:
            self._effects.append(ReadRejected(event.token, event.origin))
            return
        leadership = self._leadership
        leadership.quorum.serves(event.origin, self._now_us)
        self._reads.hold(event.token, event.origin)
        if event.origin in self._peers:
            self._replicate(leadership, event.origin)
        self._serve_reads(leadership)

    def _knows_commit(self) -> bool:
        """Until an entry of its own term is committed a leader may lag behind what its predecessor committed."""
        return self._log.term_at(self._commit) == self._term

    def _serve_reads(self, leadership: Leadership) -> None:
        """Confirm what a majority's answers allow; begin a round for what still has none."""
        if not len(self._reads):
            return
        self._effects.extend(self._reads.confirm(leadership.majority_round()))
        if self._reads.wants_round and self._knows_commit():
            self._beat(leadership)
            self._effects.extend(self._reads.confirm(leadership.majority_round()))

    def _on_append_accepted(self, sender: int, message: AppendAccepted) -> None:
        leadership = self._leadership
        if leadership is None or message.term != self._term or sender not in self._peers:
            return
        leadership.accepted(sender, message)
        if not self._commit_by_counting(leadership):
            self._replicate_in_turn(leadership, sender)
        self._serve_reads(leadership)

    def _on_append_rejected(self, sender: int, message: AppendRejected) -> None:
        leadership = self._leadership
        if leadership is not None and message.term == self._term and sender in self._peers:
            leadership.rejected(sender, message)
            self._replicate(leadership, sender)
            if leadership.offers_snapshot(sender, self._now_us):
                self._effects.append(SendSnapshot(sender))
            self._serve_reads(leadership)

    def _commit_by_counting(self, leadership: Leadership) -> bool:
        """Commit what a majority has on disk and tell the followers, now or a little later; whether there was anything."""
        index = leadership.majority_index(self._durable_index)
        if index <= self._commit or not self._may_commit(index):
            return False
        self._advance_commit(index)
        quorum = leadership.quorum
        quorum.committed(index)
        for peer in self._peers:
            if self._replicate_in_turn(leadership, peer) or not leadership.owes_commit(peer, self._commit):
                continue
            if quorum.wants_commit(peer, self._now_us):
                self._effects.append(Send(peer, leadership.heartbeat(peer, self._commit)))
            else:
                quorum.put_off(self._now_us)
        if not self._votes_here and self.membership_index <= index:
            self._retire(leadership)
        return True

    def _may_commit(self, index: int) -> bool:
        """An entry of an earlier term, though on a majority's disks, may yet be overwritten (the paper's figure 8)."""
        return self._log.term_at(index) == self._term

    def _on_synced(self, event: Synced) -> None:
        if event.truncations not in (None, self._truncations) or self._log.term_at(event.index) != event.term:
            return
        if event.index <= self._durable_index:
            return
        self._durable_index = event.index
        if self._leadership is not None:
            self._commit_by_counting(self._leadership)
            self._serve_reads(self._leadership)
        elif self._leader is not None and self._following.has_news(self._durable_index):
            self._acknowledge(self._leader)

    def _on_compacted(self, index: int) -> None:
        if index > self._commit:
            raise Violation(f"expected only committed entries to be compacted, found {index}; {self.describe()}")
        self._log.compact(index)
        self._durable_index = max(self._durable_index, index)
        self._following.verified_index = max(self._following.verified_index, index)
