"""The runtime of one simulated replica: it performs the effects of a production node on simulated parts."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from psmr.core.raft import (
    Append,
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
    Synced,
    Tick,
    Truncate,
    Unreachable,
)
from psmr.simulation.conditions import Conditions, Delay
from psmr.simulation.disk import SimulatedDisk
from psmr.simulation.invariants import Watch
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.scheduler import Scheduler
from psmr.simulation.trace import Trace

_NEVER_US = 2**62
_NOTICED_RATE = 0.1


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


class SimulatedReplica:
    """A node with a disk and a clock of its own; `node` is None while it is down.

    `incarnation` counts the restarts: what was under way for an earlier one is dropped when it comes.
    """

    def __init__(self, me: int, members: tuple[int, ...], around: Surroundings) -> None:
        self.me = me
        self.disk = SimulatedDisk()
        self.node: Raft | None = None
        self.incarnation = 0
        self._members = members
        self._around = around
        self._clock_offset_us = int(around.random.random() * 1_000_000)
        self._ticked_us = -1
        self._wake_us = _NEVER_US
        self._is_syncing = False
        self._sync = around.conditions.sync
        self.start()

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

    def start(self) -> None:
        """Build a node from what the disk holds; it begins to run at its first tick, as soon as possible."""
        around, disk = self._around, self.disk
        self.incarnation += 1
        settings = around.conditions.settings
        memberships = ((0, Membership(self._members)),)
        self.node = around.node_class(self.me, memberships, around.seed, disk.hard_state, disk.log_terms(), settings)
        self._is_syncing = False
        self._wake_us = _NEVER_US
        self._arm(self.node)

    def crash(self) -> None:
        """Stop at once; the disk keeps what it must."""
        self.node = None
        self.incarnation += 1
        self._is_syncing = False
        self.disk.crash(self._around.random)
        self._around.watch.check_all()

    def calm_down(self, sync: Delay) -> None:
        """From now on the disk takes no longer than `sync`."""
        self._sync = sync

    def receive(self, sender: int, message: Message, payloads: tuple[object, ...]) -> None:
        """A message arrives; lost when the replica is down."""
        self.step(Receive(sender, message, payloads))

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
            entries = self.disk.entries[header.prev_index : header.last_index]
            self._send(effect.to, header, tuple([payload for _, payload in entries]))
            return
        self._around.watch.check(self, effect)
        if isinstance(effect, Append):
            self.disk.append(effect.entry_terms, effect.payloads)
        elif isinstance(effect, Truncate):
            self.disk.truncate(effect.from_index)
        elif isinstance(effect, SaveHardState):
            self.disk.hard_state = HardState(effect.term, effect.voted_for)

    def _send(self, to: int, message: Message, payloads: tuple[object, ...]) -> None:
        """Send; of a link that is cut the transport sometimes knows, and says so."""
        around = self._around
        around.network.send(self.me, to, message, payloads)
        if around.network.is_cut(self.me, to) and around.random.random() < _NOTICED_RATE:
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
