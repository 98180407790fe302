"""One simulated replica: the production loop, log, delivery and sessions on a simulated disk, network, clock and engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from psmr.core.divergence import Difference, Parted
from psmr.core.divergence_messages import DIVERGENCE_MESSAGES
from psmr.core.raft import Role
from psmr.core.rolling import Rolling
from psmr.core.roster import Roster
from psmr.errors import DiskFailed, LogDamaged
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed
from psmr.log.port import SnapshotInstalled
from psmr.log.raft_log import RaftLog
from psmr.replica.delivery import Delivery
from psmr.replica.disk import Disk
from psmr.replica.event_stream import EventStream
from psmr.replica.parting import Parting, ReplicaParted
from psmr.replica.replica import Replica
from psmr.replica.snapshots import SnapshotPlan, VersionReached
from psmr.simulation.cluster.aftermath import SimulatedAftermath
from psmr.simulation.cluster.beside import SimulatedBeside
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.cluster.disk import SimulatedStore
from psmr.simulation.cluster.engine import SequentialEngine
from psmr.simulation.cluster.files import SimulatedFiles
from psmr.simulation.cluster.invariants import Watch, check_log, check_snapshot
from psmr.simulation.cluster.power import PowerCut
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.cluster.wires import SimulatedLinks, SimulatedPort
from psmr.simulation.conditions import Delay
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.scheduler import Scheduler
from psmr.storage import HardState, LogStore
from psmr.storage.snapshot_file import DAMAGED_SUFFIX
from psmr.transport.client_port import ClientPort
from psmr.transport.peers import PeerLinks, PeerMessage

_NEVER_US = 1 << 62
_NOTICED_RATE = 0.1
_NOTHING: tuple[object, ...] = ()
"""No descriptor is readable; what is there, links, port and store say themselves."""
CLUSTER_ID = 0x5349_4D
_EVENTS_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all members of a run share. `reply(member, connection, frames)` takes what goes to clients.

    `engine(member)` makes what executes there, anew at each start: of the version that the member's disk asks for.
    """

    scheduler: Scheduler
    random: Random
    conditions: ClusterConditions
    network: SimulatedNetwork
    watch: Watch
    trace: ClusterTrace
    reply: Callable[[int, bytes, list[bytes]], None]
    died: Callable[[SimulatedMember], None]
    engine: Callable[[SimulatedMember], SequentialEngine]


class _Emitting:
    """Passes a replica's events on, and shows them to the watch."""

    def __init__(self, me: int, engine: SequentialEngine, stream: EventStream, watch: Watch) -> None:
        self._me = me
        self._engine = engine
        self._stream = stream
        self._watch = watch

    def take(self, index: int, now_us: int, executed: Executed) -> None:
        if not self._engine.flavour:
            fingerprint = self._engine.service.fingerprint
            self._watch.events.emitted(self._me, self._stream.position, index, executed, fingerprint)
        self._stream.take(index, now_us, executed)


class SimulatedMember:
    """A replica that may be down; `incarnation` counts its starts and crashes.

    `term` is the one that it last spoke of, 0 while it is down. A turn of the production loop is taken whenever something arrives
    and when the last turn said that it is due. One that
    `has_parted` from the others has stopped for good.
    """

    def __init__(self, me: int, founders: Roster, around: Surroundings) -> None:
        self.me = me
        self.incarnation = self.term = 0
        self.is_retired = self.has_parted = False
        self.snapshots = self.installed = 0
        self.replica: Replica | None = None
        digests = around.conditions.digests
        self.store = SimulatedStore(
            around.scheduler,
            around.random,
            around.conditions.sync,
            self._poke,
            lambda: self._spend(),
            # Nobody is to catch up with the state of a replica that has done wrong.
            is_one_segment=digests is not None and bool(digests.wrong),
        )
        self.files = SimulatedFiles(around.random, lambda: self._spend(), lambda: self.store.is_full)
        self._founders = founders
        self._around = around
        self._scheduler = around.scheduler
        self._trace = around.trace
        self._network = around.network
        self._turn_us = around.conditions.turn_us
        self._clock_offset_us = int(around.random.random() * 1_000_000)
        self._wake_us = _NEVER_US
        self._fuse: int | None = None
        self._is_doomed = False
        self._spoiled: Path | None = None
        self._is_executing = False
        self._has_heard = False
        self._aftermath: SimulatedAftermath | None = None
        self._busy_until_us = 0
        self._stood: tuple[int, int, tuple[int, int | None]] | None = None
        self._leads = False
        self.start()

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.replica is not None

    @property
    def leads(self) -> bool:
        """Whether it runs and believes that it leads."""
        return self._leads and self.replica is not None

    @property
    def delivered(self) -> int:
        """How far it has delivered the log; 0 while down."""
        return self.replica.delivery.delivered if self.replica is not None else 0

    @property
    def is_idle(self) -> bool:
        """Whether everything delivered was executed and collected."""
        return self.replica is not None and self.replica.delivery.idle

    @property
    def suspects(self) -> list[Difference]:
        """The replicas that it takes for different; none while it is down."""
        return self.parting.differences() if self.is_up and self.parting is not None else []

    def start(self) -> None:
        """Begin with what the disk holds, or die once more, or refuse for good because of what was done to a snapshot.

        Raises LogDamaged where the disk is not what was written and nothing was done to it.
        """
        try:
            self._start()
        except (PowerCut, DiskFailed) as reason:
            self._die(reason)
            return
        except LogDamaged as damaged:
            if self._spoiled is None:
                raise
            self._note(f"refuses to start: {damaged}")
            self._refuse()
        if self._spoiled is not None:
            aside = self._spoiled.with_name(self._spoiled.name + DAMAGED_SUFFIX)
            check_snapshot(self.me, str(self._spoiled), is_aside=aside.exists())
            self._spoiled = None

    def _refuse(self) -> None:
        """It must refuse each time that somebody starts it."""
        self.crash()
        with suppress(LogDamaged, DiskFailed):
            self._start()
            check_snapshot(self.me, str(self._spoiled), is_aside=False)
        self.retire()
        self.crash()

    def _die(self, reason: Exception) -> None:
        self._note(f"dies: {reason}")
        self.crash()
        self._around.died(self)

    def _note(self, text: str) -> None:
        self._around.trace.note(self._around.scheduler.now_us, f"replica {self.me} {text}")

    def _start(self) -> None:
        """Build the production parts."""
        around = self._around
        self.incarnation += 1
        self._wake_us, self._fuse, self._is_doomed, self._is_executing = _NEVER_US, None, False, False
        self._leads, self._stood = False, None
        offset_us = int(around.random.random() * 200_000)  # a clock that was set while the machine was down
        self.links = SimulatedLinks(self._send)
        self.engine = engine = around.engine(self)
        fingerprint, production_engine = engine.service.fingerprint, cast(Engine, engine)
        self.port = SimulatedPort(self.me, fingerprint, self._reply)
        self._beside = SimulatedBeside(around.scheduler, around.random, around.conditions.snapshot, self._poke)
        disk = Disk.opened(
            self.files.folder,
            CLUSTER_ID,
            fingerprint,
            self.files,
            self._beside,
            lambda text: self._note(f"finds: {text}"),
        )
        base, sessions, position, overrides = disk.restore(production_engine)
        self.store.open(base.index, base.term)
        self.log = RaftLog(
            self.me,
            self._founders,
            cast(PeerLinks, self.links),
            cast(LogStore, self.store),
            cast(HardState, self.store),
            seed=int(around.random.random() * 2**62),
            wall_clock_us=lambda: around.scheduler.now_us + offset_us,
            settings=around.conditions.settings,
            base=base,
            snapshots=disk.kept,
            part_bytes=around.conditions.part_bytes,
            retained_bytes=around.conditions.retained_bytes,
        )
        self.events = disk.open_events(production_engine, position, bytes_max=_EVENTS_BYTES, sync=True)
        emitting = _Emitting(self.me, engine, self.events, around.watch)
        rolling = self._rolling(disk, base.index)
        self.delivery = delivery = Delivery(
            sessions, production_engine, base.index, base.time_us, overrides=overrides, events=emitting, rolling=rolling
        )
        self.parting = None if rolling is None else self._parting(rolling)
        every_bytes = around.conditions.snapshot_bytes
        plan = SnapshotPlan(disk.taker, every_bytes, int(every_bytes * (1 + around.random.random())), base.index)
        port = cast(ClientPort, self.port)
        self.replica = Replica({}, self.log, delivery, port, self._clock_us, plan, self.events, parting=self.parting)
        self.term = self.store.hard_state[0]
        has_fetched = disk.found is not None and str(disk.found.path) in self.files.fetched
        around.watch.started(self, has_fetched=has_fetched)
        self._turn_in(0)

    def _rolling(self, disk: Disk, index: int) -> Rolling | None:
        digests = self._around.conditions.digests
        if digests is None:
            return None
        return Rolling(index) if self.me in digests.unmarked else disk.rolling()

    def _parting(self, rolling: Rolling) -> Parting:
        return Parting(self.me, self.log, self.delivery, rolling, self.files.folder, "simulated", compiled=False)

    def captured(self) -> None:
        """Its engine captures the state, for a snapshot."""
        self.snapshots += 1
        self._around.watch.captured(self.me, self.delivered)

    def crash(self) -> None:
        """Stop at once; the disk keeps what it must."""
        self.replica, self.term = None, 0
        self.incarnation += 1
        self.files.crash(self._beside.end())
        self.store.crash()
        self._around.watch.check_disks()

    def retire(self) -> None:
        """Switch it off for good."""
        self._note("is switched off for good")
        self.is_retired = True
        if self.is_up:
            self.crash()

    def lose_disk(self) -> bool:
        """Stop it and flip a bit of what was synced: it must refuse to start; False when it has nothing to lose.

        What it had acknowledged still counts as kept: a replica that refuses to start denies nothing.
        """
        found = self.store.is_damage_found()
        check_log(self.me, found)
        if found:
            self.retire()
        return bool(found)

    @property
    def has_snapshot(self) -> bool:
        """Whether it runs, and its disk holds a snapshot."""
        return self.is_up and any(self.files.folder.glob("snapshot-*.snap"))

    def spoil_snapshot(self) -> None:
        """Stop it, flip a bit of its newest snapshot and start it again: it must not begin with that.

        `is_settled` says whether it has gone on without, or refused, which retires it.
        """
        self.crash()
        snapshots = sorted(self.files.folder.glob("snapshot-*.snap"))
        if not snapshots:
            self.start()
            return
        self._spoiled = snapshots[-1]
        self.files.flip(self._spoiled)
        self._note(f"has a wrong bit in {self._spoiled} from now on")
        self.start()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be found of what was done to a snapshot."""
        return self._spoiled is None

    def doom(self) -> None:
        """Let the power go in the middle of the next turn that does something."""
        self._is_doomed = True

    def calm_down(self, sync: Delay) -> None:
        """From now on the disk takes no longer than `sync`."""
        self.store.sync_delay = sync
        self.store.is_full = False
        self._is_doomed = False

    def receive(self, sender: int, message: Any, payloads: tuple[Any, ...]) -> None:
        """A message of another member arrives."""
        if self.replica is None and self._aftermath is None:
            return
        self.links.inbox.append(PeerMessage(sender, message, list(payloads)))
        self._trace.message(self._scheduler.now_us, self.me, sender, message)
        if self._aftermath is not None:
            self._aftermath.heard()
            return
        if type(message) in DIVERGENCE_MESSAGES:
            self._has_heard = True
        self._poke()

    def request(self, connection: bytes, frames: list[bytes]) -> None:
        """A message of a client arrives."""
        if self.replica is not None:
            self.port.inbox.append((connection, frames))
            self._poke()

    def _poke(self) -> None:
        """Something is there for the loop: it takes a turn, as soon as the one before has ended."""
        now_us = self._scheduler.now_us
        if now_us >= self._busy_until_us:
            self.turn()
        else:
            self._turn_in(self._busy_until_us - now_us)

    def turn(self) -> None:
        """Take a turn of the loop now, and see to the next one."""
        replica = self.replica
        if replica is None:
            return
        if self._is_doomed and (self.links.inbox or self.port.inbox):
            self._is_doomed, self._fuse = False, int(self._around.random.random() * 7)
        try:
            deadline_us = replica.turn(_NOTHING)
        except (SnapshotInstalled, VersionReached) as reached:
            self._note(f"starts again: {reached}")
            self.crash()
            self.installed += isinstance(reached, SnapshotInstalled)
            self.start()
            return
        except (PowerCut, DiskFailed) as reason:
            self._die(reason)
            return
        except ReplicaParted as reason:
            self._part(reason.parted)
            return
        self._fuse = None
        if self._has_heard:
            self._has_heard = False
            self._around.watch.parting.heard(self)
        now_us = self._scheduler.now_us
        self._busy_until_us = now_us + self._turn_us
        if self.log.role_changes:
            self._take_roles()
        stands = self.delivery.delivered, self.log.committed, self.store.hard_state
        if stands != self._stood:
            self._stood = stands
            self._around.watch.after_turn(self)
        if not self._is_executing and self.engine.waiting:
            self._begin_execution()
        due_us = deadline_us - self._clock_offset_us
        if due_us < self._wake_us:
            self._turn_in(due_us - now_us if due_us > now_us else 0)

    def _part(self, parted: Parted) -> None:
        """Serve no more, for good."""
        around, watch = self._around, self._around.watch
        self._note(f"has parted: {parted}")
        watch.parting.parted(self, parted)
        self.has_parted = self.is_retired = True
        self.replica, self._fuse, self.term = None, None, 0
        self.incarnation += 1
        self._beside.end()
        assert self.parting is not None
        self._aftermath = SimulatedAftermath(
            self.me,
            parted,
            self.log,
            self.delivery,
            self.parting,
            around.scheduler,
            self._clock_us,
            lambda row: watch.parting.row_found(self, row),
        )

    def _take_roles(self) -> None:
        for change in self.log.role_changes:
            self.term, self._leads = change.term, change.role is Role.LEADER
            self._around.watch.role(self, change)
            self._around.trace.role(self._around.scheduler.now_us, self.me, change)
        self.log.role_changes.clear()

    def _clock_us(self) -> int:
        return self._scheduler.now_us + self._clock_offset_us

    def _turn_in(self, delay_us: int) -> None:
        due_us = self._scheduler.now_us + delay_us
        if due_us < self._wake_us:
            self._wake_us = due_us
            self._scheduler.after(delay_us, self._wake, self.incarnation, due_us)

    def _wake(self, incarnation: int, due_us: int) -> None:
        if incarnation == self.incarnation and due_us == self._wake_us:
            self._wake_us = _NEVER_US
            self.turn()

    def _begin_execution(self) -> None:
        self._is_executing = True
        delay_us = self._around.conditions.execution.draw_us(self._around.random)
        self._around.scheduler.after(delay_us, self._executed, self.incarnation)

    def _executed(self, incarnation: int) -> None:
        if incarnation == self.incarnation:
            self._is_executing = False
            self.engine.execute(1 + int(self._around.random.random() * self.engine.waiting))
            self._poke()

    def _spend(self) -> None:
        if self._fuse is not None:
            if self._fuse == 0:
                raise PowerCut("the power went in the middle of a turn")
            self._fuse -= 1

    def _send(self, to: int, message: Any, payloads: Sequence[Any] = ()) -> bool:
        """Send; of a link that is cut the transport sometimes knows, and takes nothing."""
        if self._fuse is not None:
            self._spend()
        network = self._network
        if (self.me, to) in network.severed and self._around.random.random() < _NOTICED_RATE:
            return False
        network.send(self.me, to, message, tuple(payloads))
        return True

    def _reply(self, connection: bytes, frames: list[bytes]) -> None:
        if self._fuse is not None:
            self._spend()
        self._around.reply(self.me, connection, frames)
