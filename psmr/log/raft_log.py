"""`OrderedLog` by embedded Raft: the pure core, given a disk, a network and a clock.

peers ──► Receive ─┐                      ┌─► SaveHardState, Append, Truncate ──► disk
clock ──► Tick ────┼─► Raft.handle(event) ┼─► Send, SendEntries ──► peers
disk ───► Synced ──┤                      ├─► Commit ──► `committed`
append ─► Propose ─┤                      ├─► ReadConfirmed ──► `take_confirmed`, or the peer that asked
confirm ► Confirm ─┘                      └─► Rejected ──► dropped: its client sends it again

What a follower takes in it forwards to the leader, payloads and questions alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Sequence
from typing import Any, cast

from psmr.core.changes import Action, changed
from psmr.core.control import is_control
from psmr.core.divergence_messages import DIVERGENCE_MESSAGES, DivergenceMessage
from psmr.core.fetching import PART_BYTES
from psmr.core.override import Override, encode_override
from psmr.core.raft import (
    Append,
    AppendAccepted,
    AppendEntries,
    Commit,
    Compacted,
    ConfirmRead,
    Effect,
    HardState,
    Heard,
    MembershipChanged,
    MembershipRefused,
    Propose,
    ProposeMembership,
    Raft,
    ReadConfirmed,
    ReadRejected,
    Receive,
    Role,
    RoleChanged,
    SaveHardState,
    Send,
    SendEntries,
    SendSnapshot,
    Settings,
    Synced,
    Truncate,
    Unreachable,
)
from psmr.core.raft.messages import NUMBER_MAX
from psmr.core.roster import Roster, Seat, encode_roster
from psmr.core.service_version import ServiceVersion, encode_version
from psmr.errors import InvalidCall, Refused
from psmr.log.catch_up import CatchUp, Snapshots
from psmr.log.intake import Intake, Payloads
from psmr.log.opening import entries_of, rosters_of, terms_of
from psmr.log.port import Base, Entry, LogStatus, MemberStatus, News, Said
from psmr.log.questions import Questions
from psmr.log.rosters import membership_of
from psmr.log.sending import Sending
from psmr.storage import HardState as HardStateFile
from psmr.storage import LogStore, Record, decode_unchecked, encode
from psmr.storage.record import MAX_PAYLOAD_BYTES
from psmr.transport.peers import (
    ConfirmAnswered,
    ConfirmAsked,
    PeerLinks,
    PeerMessage,
    SnapshotAsked,
    SnapshotOffered,
    SnapshotPart,
)

UNCOMMITTED_BYTES_MAX = 64 << 20
IN_FLIGHT_BYTES_MAX = 64 << 20
"""On the way to one follower."""
ORIGIN = Base(0, 0, 0, b"")
"""Before the first entry."""
_THERE_US = 30_000_000
"""A member that was heard of so lately is there, or starts again with a snapshot that it has fetched."""
_MESSAGES_PER_STEP = 64
_SAID_MAX = 1024
_ABOUT_SNAPSHOTS = (SnapshotOffered, SnapshotAsked, SnapshotPart)


class RaftLog:
    """One member of a Raft group. `wall_clock_us` stamps entries; `monotonic` times come through `step`.

    The log begins behind `base`, with the members that it says, or at its first entry with `founders`; later members are
    in the log. `committed` is the newest index that is committed. Up to `retained_bytes` of log are kept for members that lag
    behind. `role_changes` is for whoever drives it to read and clear.
    """

    def __init__(
        self,
        me: int,
        founders: Roster,
        links: PeerLinks,
        store: LogStore,
        hard_state: HardStateFile,
        *,
        seed: int,
        wall_clock_us: Callable[[], int],
        settings: Settings | None = None,
        base: Base = ORIGIN,
        snapshots: Snapshots | None = None,
        part_bytes: int = PART_BYTES,
        retained_bytes: int = 0,
    ) -> None:
        self._links = links
        self._store = store
        self._hard_state = hard_state
        self._wall_clock_us = wall_clock_us
        self._rosters = rosters_of(store, base, founders)
        term, voted_for = hard_state.load(store.last_term)
        terms = terms_of(store, base)
        settings = settings or Settings()
        self._raft = Raft(
            me, self._rosters.memberships, seed, HardState(term, voted_for), terms, settings, store.committed_index
        )
        self._questions = Questions(seed, 2 * settings.heartbeat_us)
        self._catch_up = CatchUp(links, snapshots, part_bytes) if snapshots is not None else None
        self._retained_bytes = retained_bytes
        self._heard_us: dict[int, int] = {}
        self._now_us = 0
        self._refusal = ""
        self._has_news = True
        self._me = me
        # What the disk remembers as committed is delivered while nobody leads yet: a start need not wait for that.
        self.committed = self._raft.commit
        self._intake = Intake()
        self._to_confirm: list[tuple[int, int]] = []
        self._uncommitted: deque[tuple[int, int]] = deque()
        self._uncommitted_bytes = 0
        self._said: list[Said] = []
        self._sending = Sending(links, store, IN_FLIGHT_BYTES_MAX)
        # A clock that was set back while this member was down must not take the log's stamps back.
        is_empty = store.last_index == base.index
        self._last_time_us = base.time_us if is_empty else store.read(store.last_index, 1)[0].time_us
        self.role_changes: deque[RoleChanged] = deque(maxlen=256)
        self._meet()

    @property
    def leader(self) -> int | None:
        """The leader that this member knows of."""
        return self._raft.leader

    def append(self, payload: bytes) -> None:
        """Order the payload with the next step, or send it on to the leader."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise InvalidCall(
                f"expected a payload of at most {MAX_PAYLOAD_BYTES} bytes, found {len(payload)}: split it"
            )
        leader = self._raft.leader
        if leader is None:
            raise Refused("no leader is known: a majority of replicas must be running; try again")
        if self._backlog_bytes > UNCOMMITTED_BYTES_MAX:
            raise Refused(f"{self._backlog_bytes} bytes wait to be committed; try again")
        if leader == self._me:
            self._intake.add([payload])
        elif not self._links.send(leader, None, [payload]):
            raise Refused(f"the leader, replica {leader}, cannot be reached from here; try again")

    def confirm(self, token: int) -> None:
        """Ask for a read index: of this member with the next step, or of the leader; lost ones come back as None."""
        leader = self._raft.leader
        if leader is None:
            raise Refused("no leader is known: a majority of replicas must be running; try again")
        asked = self._questions.ask(token)
        if leader != self._me and not self._links.send(leader, ConfirmAsked(asked)):
            self._questions.drop(asked)
            raise Refused(f"the leader, replica {leader}, cannot be reached from here; try again")
        if leader == self._me:
            self._to_confirm.append((asked, self._me))

    def take_confirmed(self) -> list[tuple[int, int | None]]:
        """Read indexes confirmed, and questions that got lost, since the last call."""
        return self._questions.take()

    @property
    def _backlog_bytes(self) -> int:
        return self._uncommitted_bytes + self._intake.size_bytes

    def read(self, first: int, max_bytes: int) -> Sequence[Entry]:
        """Committed entries, from memory or from disk."""
        if first > self.committed:
            return ()
        records = self._store.read(first, max_bytes)
        return [
            Entry(record.index, record.time_us, record.payload) for record in records if record.index <= self.committed
        ]

    def sources(self) -> Sequence[Any]:
        """The peers' socket, and the descriptor that tells of finished writes."""
        return (self._links.inbox, self._store.fileno())

    def step(self, now_us: int, ready: Container[Any] | None = None) -> int:
        """Take in time, writes, messages and payloads, in this order."""
        self._now_us = now_us
        raft, store, links = self._raft, self._store, self._links
        if effects := raft.pass_time(now_us):
            self._perform(effects)
        if ready is None or store.has_synced or store.fileno() in ready:
            self._take_synced()
        more = (ready is None or links.has_received or links.inbox in ready) and self._take_messages()
        if self._intake.waiting:
            if store.has_synced:
                self._take_synced()
            self._propose()
        while store.has_synced:
            self._take_synced()
        if self._to_confirm:
            to_confirm, self._to_confirm = self._to_confirm, []
            for token, origin in to_confirm:
                self._perform(self._raft.handle(ConfirmRead(token, origin)))
        due_us = raft.next_deadline_us
        if self._questions.open and (given_up_us := self._questions.expire(now_us)) < due_us:
            due_us = given_up_us
        if self._catch_up is not None and (asked_us := self._catch_up.step(now_us)) < due_us:
            due_us = asked_us
        return 0 if more else due_us

    def _take_messages(self) -> bool:
        """The messages that are there, up to a number; whether there may be more."""
        receive, take = self._links.receive, self._take
        for _ in range(_MESSAGES_PER_STEP):
            message = receive()
            if message is None:
                return False
            take(message)
        return True

    def _take_synced(self) -> None:
        synced = self._store.take_synced()
        if synced is not None:
            self._perform(self._raft.handle(Synced(*synced)))

    def _take(self, received: PeerMessage) -> None:
        sender, message = received.sender, received.message
        self._heard_us[sender] = self._now_us
        if isinstance(message, AppendEntries):
            self._take_entries(sender, message, received.payloads)
        elif isinstance(message, AppendAccepted):
            self._sending.note_answer(sender, message, self._raft.term)
            self._perform(self._raft.handle(Receive(sender, message)))
        elif message is None:
            self._take_forwarded(sender, received.payloads)
        elif isinstance(message, ConfirmAsked):
            self._to_confirm.append((message.token, sender))
        elif isinstance(message, ConfirmAnswered):
            self._questions.answer(message.token, message.index)
        elif isinstance(message, _ABOUT_SNAPSHOTS):
            self._take_snapshot_message(sender, message, received.payloads)
        elif isinstance(message, DIVERGENCE_MESSAGES):
            if len(self._said) < _SAID_MAX:
                self._said.append(Said(sender, message, received.payloads))
        else:
            self._sending.note_answer(sender, message, self._raft.term)
            self._perform(self._raft.handle(Receive(sender, message)))

    def say(self, member: int, message: DivergenceMessage, payloads: Sequence[bytes] = ()) -> bool:
        """Send another member a message that is not about the order."""
        return self._links.send(member, message, payloads)

    def take_said(self) -> list[Said]:
        """What other members have said, since the last call."""
        if not self._said:
            return self._said
        said, self._said = self._said, []
        return said

    def listen(self) -> None:
        """Instead of `step`, for a member that has left the cluster's work: take in what is said, and nothing else."""
        for _ in range(_MESSAGES_PER_STEP):
            message = self._links.receive()
            if message is None:
                return
            if isinstance(message.message, DIVERGENCE_MESSAGES):
                self._said.append(Said(message.sender, message.message, message.payloads))

    def _take_entries(self, sender: int, message: AppendEntries, payloads: Sequence[bytes]) -> None:
        entries = entries_of(message, payloads)
        if entries is None:
            self._links.malformed += 1
        else:
            self._perform(self._raft.handle(Receive(sender, message, *entries)))

    def _take_snapshot_message(
        self, sender: int, message: SnapshotOffered | SnapshotAsked | SnapshotPart, payloads: Sequence[bytes]
    ) -> None:
        catch_up = self._catch_up
        if catch_up is None:
            return
        if isinstance(message, SnapshotOffered):
            self._perform(self._raft.handle(Heard(message.term)))
            catch_up.take_offer(sender, message, self.committed, self._now_us)
        elif isinstance(message, SnapshotAsked):
            catch_up.answer(sender, message, self._raft.term)
        else:
            catch_up.take_part(message, payloads, self._now_us)

    def _take_forwarded(self, sender: int, payloads: Sequence[bytes]) -> None:
        """A follower's payloads; dropped, as by a lossy network, where `append` would refuse them."""
        if any(len(payload) > MAX_PAYLOAD_BYTES or is_control(payload) for payload in payloads):
            self._links.malformed += 1
        elif self._raft.leader == self._me and self._backlog_bytes <= UNCOMMITTED_BYTES_MAX:
            self._intake.add(payloads, sender)

    def _propose(self) -> None:
        self._perform(self._raft.handle(Propose(*self._intake.take())))

    def _perform(self, effects: list[Effect]) -> None:
        """Effects in order. A rejected proposal is dropped: its client hears nothing and sends it again."""
        for effect in effects:
            if isinstance(effect, Send):
                self._links.send(effect.to, effect.message)
            elif isinstance(effect, SendEntries):
                if not self._sending.send(effect):
                    self._perform(self._raft.handle(Unreachable(effect.to)))
            elif isinstance(effect, Append):
                self._append(effect)
            elif isinstance(effect, Commit):
                self._commit(effect.index)
            elif isinstance(effect, SaveHardState):
                self._hard_state.save(effect.term, effect.voted_for)
            elif isinstance(effect, Truncate):
                self._truncate(effect.from_index)
            elif isinstance(effect, ReadConfirmed):
                self._answer(effect.token, effect.origin, effect.index)
            elif isinstance(effect, ReadRejected):
                self._answer(effect.token, effect.origin, None)
            elif isinstance(effect, RoleChanged):
                self._sending.clear()
                self._has_news = True
                self.role_changes.append(effect)
            elif isinstance(effect, SendSnapshot):
                if self._catch_up is not None:
                    self._catch_up.offer(effect.to, self._raft.term)
            elif isinstance(effect, MembershipChanged):
                self._meet()
            elif isinstance(effect, MembershipRefused):
                self._refusal = effect.reason

    def _answer(self, token: int, origin: int, index: int | None) -> None:
        """Tell whoever asked. A peer is not told that this member does not lead: it asks again when it has waited."""
        if origin == self._me:
            self._questions.answer(token, index)
        elif index is not None:
            self._links.send(origin, ConfirmAnswered(token, index))

    def _append(self, effect: Append) -> None:
        records: list[Record] = []
        for place, (term, payload) in enumerate(zip(effect.entry_terms, effect.payloads, strict=True)):
            if isinstance(payload, Record):
                records.append(payload)
                self._last_time_us = max(self._last_time_us, payload.time_us)
            else:
                parts = payload.parts if isinstance(payload, Payloads) else (cast(bytes, payload),)
                self._last_time_us = max(self._last_time_us, self._wall_clock_us())
                raw = encode(effect.first_index + place, term, self._last_time_us, *parts)
                records.append(decode_unchecked(raw))
            if is_control(records[-1].payload):
                self._rosters.take(records[-1].index, records[-1].payload)
        self._store.append(records)
        for record in records:
            size_bytes = len(record.raw)
            self._uncommitted.append((record.index, size_bytes))
            self._uncommitted_bytes += size_bytes

    def _truncate(self, from_index: int) -> None:
        self._store.truncate(from_index)
        self._rosters.truncate(from_index)
        while self._uncommitted and self._uncommitted[-1][0] >= from_index:
            self._uncommitted_bytes -= self._uncommitted.pop()[1]

    def _meet(self) -> None:
        """Know the members of now, and where they are."""
        self._links.meet({seat.id: seat.peers for seat in self._rosters.newest.seats})
        self._has_news = True

    def take_news(self) -> News | None:
        """Leader and members, if either is new since the last call."""
        if not self._has_news:
            return None
        self._has_news = False
        return News(self._raft.leader, {seat.id: seat.clients for seat in self._rosters.newest.seats})

    def change_members(self, action: Action, seat: Seat) -> None:
        """Put another roster in force, as the leader; it counts at once and is settled when its entry is committed."""
        roster = changed(self._rosters.newest, action, seat)
        self._refusal = ""
        self._perform(self._raft.handle(ProposeMembership(membership_of(roster), encode_roster(roster))))
        if self._refusal:
            raise Refused(self._refusal)

    def take_over(self, version: ServiceVersion) -> None:
        """Order, as the leader, that `version` executes what follows."""
        if self._raft.role is not Role.LEADER:
            raise Refused(f"only the leader does that: it is replica {self._raft.leader}")
        self._perform(self._raft.handle(Propose((Payloads((encode_version(version),)),))))

    def record(self, override: Override) -> None:
        """Order it, as the leader, unless the log has it: whoever leads next does it where this one's entry is lost."""
        if self._raft.role is Role.LEADER and not self._rosters.has_override(override.fingerprint):
            self._perform(self._raft.handle(Propose((Payloads((encode_override(override),)),))))

    def base_at(self, index: int) -> Base:
        """Term, stamp and members of a place in the log, which is committed."""
        record = self._store.read(index, 1)[0]
        return Base(index, record.term, record.time_us, encode_roster(self._rosters.at(index)))

    def compact(self, index: int) -> None:
        """Forget what a snapshot at `index` holds, in whole segments, but not what somebody who is there still lacks."""
        if self._store.size_bytes <= self._retained_bytes:
            index = min(index, self._lacked_by_somebody() - 1)
        if index < self._store.first_index:
            return
        first_index = self._store.compact(index)
        if first_index > self._raft.base_index + 1:
            self._perform(self._raft.handle(Compacted(first_index - 1)))

    def _lacked_by_somebody(self) -> int:
        """The first index that a member heard of lately may ask for; a leader knows, others say that nobody lacks anything."""
        lacked = NUMBER_MAX
        for peer, heard_us in self._heard_us.items():
            served = self._catch_up.served.get(peer, 0) if self._catch_up is not None else 0
            has = max(served, self._raft.match_index(peer))
            if has and self._raft.role is Role.LEADER and heard_us + _THERE_US > self._now_us:
                lacked = min(lacked, has + 1)
        return lacked

    def _commit(self, index: int) -> None:
        self.committed = index
        self._store.mark_committed(min(index, self._store.last_index))
        while self._uncommitted and self._uncommitted[0][0] <= index:
            self._uncommitted_bytes -= self._uncommitted.popleft()[1]

    def status(self) -> LogStatus:
        """Role, term, leader, last index, commit index, and how many messages made no sense."""
        raft = self._raft
        members = tuple(
            MemberStatus(seat.id, seat.clients, seat.votes, self._match_index(seat.id))
            for seat in self._rosters.newest.seats
        )
        return LogStatus(
            role=raft.role.value,
            term=raft.term,
            leader=raft.leader,
            last_index=raft.last_index,
            committed=self.committed,
            malformed=self._links.malformed,
            first_index=self._store.first_index,
            newest_version=self._rosters.newest_version,
            members=members,
            members_since=raft.membership_index,
            fetching=self._catch_up.fetching if self._catch_up is not None else None,
        )

    def _match_index(self, member: int) -> int:
        return self._raft.durable_index if member == self._me else self._raft.match_index(member)

    def close(self) -> None:
        """Write what is queued, close files and sockets."""
        self._links.close()
        self._store.close()
