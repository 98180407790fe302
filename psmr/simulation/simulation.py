"""A run: some replicas, a client, an adversary; then peace, in which everything must come right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from psmr.core.raft import ConfirmRead, Membership, Message, Propose, Raft
from psmr.simulation.adversary import Adversary
from psmr.simulation.changes import Changes
from psmr.simulation.conditions import Conditions
from psmr.simulation.invariants import InvariantViolated, Watch
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.replay import Replay
from psmr.simulation.replica import SimulatedReplica, Surroundings
from psmr.simulation.scheduler import Scheduler
from psmr.simulation.trace import Trace

_MARKER_EVERY_US = 100_000


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What a run that kept every invariant amounted to."""

    seed: int
    replicas: int
    steps: int
    virtual_us: int
    proposed: int
    committed: int
    elections: int
    reads: int
    crashes: int
    snapshots: int
    memberships: int
    digest: str


class Simulation:
    """One run of `replicas` production nodes, all of whose chances come from `seed`."""

    def __init__(
        self,
        seed: int,
        replicas: int = 3,
        node_class: type[Raft] = Raft,
        write: Callable[[str], object] | None = None,
    ) -> None:
        self._seed = seed
        self._founders = replicas
        self._random = Random(f"{seed}/{replicas}")
        snapshots_random = Random(f"{seed}/{replicas}/snapshots")
        self._changes_random = Random(f"{seed}/{replicas}/changes")
        self._conditions = Conditions.drawn(self._random, snapshots_random, self._changes_random)
        self._scheduler = Scheduler()
        self._trace = Trace(write)
        self._network = SimulatedNetwork(self._scheduler, self._random, self._conditions, self._deliver)
        self._replicas: list[SimulatedReplica] = []
        self._watch = Watch(self._replicas)
        self._proposed = 0
        self._reads_asked = 0
        self._reads_random = Random(f"{seed}/{replicas}/reads")
        self._is_peaceful = False
        self._first_marker = 0
        self._reads_in_chaos = 0
        self._marker_due_us = 0
        around = Surroundings(
            self._scheduler,
            self._random,
            self._conditions,
            self._network,
            self._watch,
            self._trace,
            node_class,
            seed,
            snapshots_random,
        )
        members = tuple(range(replicas))
        self._replicas += [SimulatedReplica(me, Membership(members), around) for me in members]
        for spare in range(replicas, replicas + self._conditions.spares):
            self._replicas.append(SimulatedReplica(spare, Membership(()), around))
        self._changes: Changes | None = None
        if self._conditions.change is not None:
            delay = self._conditions.change
            self._changes = Changes(self._scheduler, self._changes_random, delay, self._replicas)

    def run(self) -> SimulationResult:
        """Run to the end; raises `InvariantViolated`, or what a node raised, with the command that replays it."""
        with Replay(self._seed, self._founders):
            scheduler, conditions = self._scheduler, self._conditions
            adversary = Adversary(scheduler, self._random, conditions, self._network, self._replicas, self._trace)
            scheduler.after(conditions.propose.draw_us(self._random), self._propose)
            scheduler.after(conditions.read.draw_us(self._reads_random), self._read)
            scheduler.run_until(conditions.chaos_us)
            adversary.stop()
            self._is_peaceful = True
            if self._changes is not None:
                self._changes.calm_down()
            self._first_marker = self._proposed
            self._reads_in_chaos = self._watch.reads
            if not scheduler.run_until(conditions.chaos_us + conditions.recovery_us, self._has_converged):
                self._fail_liveness()
            self._watch.check_all()
        return SimulationResult(
            seed=self._seed,
            replicas=self._founders,
            steps=scheduler.steps,
            virtual_us=scheduler.now_us,
            proposed=self._proposed,
            committed=max(replica.applied for replica in self._replicas),
            elections=self._watch.elections,
            reads=self._watch.reads,
            crashes=adversary.crashes,
            snapshots=self._watch.snapshots,
            memberships=self._watch.memberships,
            digest=self._trace.digest,
        )

    def _deliver(self, to: int, sender: int, message: Message, payloads: tuple[object, ...]) -> None:
        self._replicas[to].receive(sender, message, payloads)

    def _propose(self) -> None:
        """Propose numbered payloads to someone who claims to lead; in peace, now and then a marker."""
        self._scheduler.after(self._conditions.propose.draw_us(self._random), self._propose)
        leaders = [replica for replica in self._replicas if replica.leads]
        if self._is_peaceful and (not leaders or self._scheduler.now_us < self._marker_due_us):
            return
        self._marker_due_us = self._scheduler.now_us + _MARKER_EVERY_US
        target = self._random.choice(leaders or self._replicas)
        count = 1 + int(self._random.random() * 3)
        target.step(Propose(tuple(range(self._proposed, self._proposed + count))))
        self._proposed += count

    def _read(self) -> None:
        """Ask someone who claims to lead, or now and then anyone, up to which index to read."""
        random = self._reads_random
        self._scheduler.after(self._conditions.read.draw_us(random), self._read)
        leaders = [replica for replica in self._replicas if replica.leads]
        target = random.choice(leaders if leaders and random.random() < 0.9 else self._replicas)
        self._watch.read_asked(self._reads_asked)
        target.step(ConfirmRead(self._reads_asked, target.me))
        self._reads_asked += 1

    def _has_converged(self) -> bool:
        """Whether all members delivered the same log, which ends in something proposed in peace, and a read was confirmed
        then."""
        leaders = [replica for replica in self._replicas if replica.leads]
        if self._watch.reads == self._reads_in_chaos or not leaders:
            return False
        first = leaders[0]
        if self._changes is not None and not self._changes.are_done(first.membership):
            return False
        applied = first.applied
        for replica in (self._replicas[member] for member in first.membership.members):
            if replica.applied != applied or len(replica.disk.entries) != applied:
                return False
        last = first.disk.entries[applied - 1][1] if applied else None
        return isinstance(last, int) and last >= self._first_marker

    def _fail_liveness(self) -> None:
        states = [f"replica {replica.me}: {replica.node and replica.node.describe()}" for replica in self._replicas]
        raise InvariantViolated(
            "liveness",
            "expected all members to commit a new entry, and a read to be confirmed, within "
            f"{self._conditions.recovery_us} µs of peace, found:\n  " + "\n  ".join(states),
        )


def simulate(seed: int, replicas: int = 3, node_class: type[Raft] = Raft) -> SimulationResult:
    """Run one seed."""
    return Simulation(seed, replicas, node_class).run()
