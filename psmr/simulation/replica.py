"""The runtime of one simulated replica: it performs the effects of a production node on simulated parts."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from psmr.core.raft import (
    Append,
    AppendEntries,
    Compacted,
    Effect,
    Event,
    HardState,
    Membership,
    Message,
    Raft,
    Receive,
    Role,
    SaveHardState,
    Send,
    SendEntries,
    SendSnapshot,
    Synced,
    Tick,
    Truncate,
    Unreachable,
)
from psmr.simulation.conditions import Conditions, Delay
from psmr.simulation.disk import Entry, SimulatedDisk
from psmr.simulation.invariants import Watch
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.scheduler import Scheduler
from psmr.simulation.trace import Trace

_NEVER_US = 2**62
_NOTICED_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is sent to a replica that needs entries that are gone, by a leader of `term`."""

    term: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all replicas of a run share."""

    scheduler: Scheduler
    random: Random
    conditions: Conditions
    network: SimulatedNetwork
    watch: Watch
    trace: Trace
    node_class: type[Raft]
    seed: int
    snapshots_random: Random


class SimulatedReplica:
    """A node with a disk and a clock of its own; `node` is None while it is down.

    `incarnation` counts the restarts: what was under way for an earlier one is dropped when it comes. One that is to join
    has a founding membership without voters.
    """

    def __init__(self, me: int, founding: Membership, around: Surroundings) -> None:
        self.me = me
        self.disk = SimulatedDisk(founding)
        self.node: Raft | None = None
        self.incarnation = 0
        self._around = around
        self._clock_offset_us = int(around.random.random() * 1_000_000)
        self._ticked_us = -1
        self._wake_us = _NEVER_US
        self._is_syncing = False
        self._is_installing = False
        self._sync = around.conditions.sync
        self.start()
        self._plan_snapshot()

    @property
    def leads(self) -> bool:
        """Whether the node is up and believes it is the leader."""
        return self.node is not None and self.node.role is Role.LEADER

    @property
    def is_up(self) -> bool:
        """Whether a node runs."""
        return self.node is not None

    @property
    def term(self) -> int:
        """The node's term; 0 while down."""
        return 0 if self.node is None else self.node.term

    @property
    def applied(self) -> int:
        """How far the node that is up has delivered its log; 0 while down."""
        return 0 if self.node is None else self.node.commit

    @property
    def membership(self) -> Membership:
        """The membership in force here."""
        return self.disk.changes[-1][1]

    def start(self) -> None:
        """Build a node from what the disk holds; it begins to run at its first tick, as soon as possible."""
        around, disk = self._around, self.disk
        self.incarnation += 1
        settings = around.conditions.settings
        log_terms = disk.log_terms()
        self.node = around.node_class(self.me, disk.memberships, around.seed, disk.hard_state, log_terms, settings)
        self._is_syncing = False
        self._wake_us = _NEVER_US
        self._arm(self.node)

    def crash(self) -> None:
        """Stop at once; the disk keeps what it must."""
        self.node = None
        self.incarnation += 1
        self._is_syncing = False
        self._is_installing = False
        self.disk.crash(self._around.random)
        self._around.watch.check_all()

    def calm_down(self, sync: Delay) -> None:
        """From now on the disk takes no longer than `sync`."""
        self._sync = sync

    def receive(self, sender: int, message: Message | Snapshot, payloads: tuple[object, ...]) -> None:
        """A message arrives; lost when the replica is down."""
        if isinstance(message, Snapshot):
            self._begin_install(message)
            return
        changes: tuple[tuple[int, Membership], ...] = ()
        if isinstance(message, AppendEntries):
            numbered = enumerate(payloads, message.first_index)
            changes = tuple([(index, payload) for index, payload in numbered if isinstance(payload, Membership)])
        self.step(Receive(sender, message, payloads, changes))

    def step(self, event: Event) -> None:
        """Hand an event to the node, after a tick with the present time, and perform what it asks for."""
        node = self.node
        if node is None:
            return
        now_us = self._around.scheduler.now_us + self._clock_offset_us
        if now_us > self._ticked_us or isinstance(event, Tick):
            self._ticked_us = now_us
            self._handle(node, Tick(now_us))
        if not isinstance(event, Tick):
            self._handle(node, event)
        self._around.watch.check_node(self)
        self._arm(node)
        if not self._is_syncing and self.disk.pending:
            self._begin_sync(node)

    def _handle(self, node: Raft, event: Event) -> None:
        if isinstance(event, Compacted):
            self.disk.compact(event.index)
        effects = node.handle(event)
        self._around.trace.step(self._around.scheduler.now_us, self.me, node, event, effects)
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            self._send(effect.to, effect.message, ())
            return
        if isinstance(effect, SendEntries):
            header = effect.message
            self._send(effect.to, header, self.disk.read(header.prev_index, header.last_index))
            return
        self._around.watch.check(self, effect)
        if isinstance(effect, Append):
            self.disk.append(effect.entry_terms, effect.payloads)
        elif isinstance(effect, Truncate):
            self.disk.truncate(effect.from_index)
        elif isinstance(effect, SaveHardState):
            self.disk.hard_state = HardState(effect.term, effect.voted_for)
        elif isinstance(effect, SendSnapshot):
            self._send(effect.to, Snapshot(self.term, tuple(self.disk.snapshot)), ())

    def _send(self, to: int, message: Message | Snapshot, payloads: tuple[object, ...]) -> None:
        """Send; of a link that is cut the transport sometimes knows, and says so."""
        around = self._around
        around.network.send(self.me, to, message, payloads)
        if (self.me, to) in around.network.severed and around.random.random() < _NOTICED_RATE:
            around.scheduler.after(around.conditions.network.draw_us(around.random), self.step, Unreachable(to))

    def _arm(self, node: Raft) -> None:
        """See that a tick comes at the node's deadline."""
        now_us = self._around.scheduler.now_us
        due_us = max(node.next_deadline_us - self._clock_offset_us, now_us)
        if due_us < self._wake_us:
            self._wake_us = due_us
            self._around.scheduler.after(due_us - now_us, self._wake, self.incarnation, due_us)

    def _wake(self, incarnation: int, due_us: int) -> None:
        if incarnation == self.incarnation and due_us == self._wake_us:
            self._wake_us = _NEVER_US
            self.step(Tick(0))

    def _begin_sync(self, node: Raft) -> None:
        self._is_syncing = True
        notice = Synced(node.last_index, node.last_term, node.truncations)
        delay_us = self._sync.draw_us(self._around.random)
        self._around.scheduler.after(delay_us, self._end_sync, self.incarnation, self.disk.pending, notice)

    def _end_sync(self, incarnation: int, writes: int, notice: Synced) -> None:
        if incarnation == self.incarnation:
            self._is_syncing = False
            self.disk.sync(writes)
            self.step(notice)

    def _plan_snapshot(self) -> None:
        around = self._around
        if around.conditions.snapshot is not None:
            around.scheduler.after(around.conditions.snapshot.draw_us(around.snapshots_random), self._take_snapshot)

    def _take_snapshot(self) -> None:
        """Save what was delivered; mostly, forget the entries before it, or some of them."""
        self._plan_snapshot()
        node, disk, random = self.node, self.disk, self._around.snapshots_random
        if node is None or node.commit <= len(disk.snapshot):
            return
        disk.take_snapshot(node.commit)
        index = len(disk.snapshot) - random.choice((0, 0, 3, 20))
        if index > disk.base_index and random.random() < 0.8:
            self.step(Compacted(index))

    def _begin_install(self, snapshot: Snapshot) -> None:
        if not self._is_installing and self._is_of_use(snapshot):
            self._is_installing = True
            delay_us = self._sync.draw_us(self._around.snapshots_random)
            self._around.scheduler.after(delay_us, self._end_install, self.incarnation, snapshot)

    def _is_of_use(self, snapshot: Snapshot) -> bool:
        newest = len(self.disk.snapshot)
        return self.node is not None and len(snapshot.entries) > max(self.node.commit, newest)

    def _end_install(self, incarnation: int, snapshot: Snapshot) -> None:
        """The snapshot is on disk: start again from it."""
        if incarnation != self.incarnation:
            return
        self._is_installing = False
        if not self._is_of_use(snapshot):
            return
        if self.disk.hard_state.term < snapshot.term:
            self.disk.hard_state = HardState(snapshot.term)
        self.disk.snapshot = list(snapshot.entries)
        self._around.trace.note(self._around.scheduler.now_us, f"replica {self.me} restarts from a snapshot")
        self._around.watch.installed()
        self.crash()
        self.start()
