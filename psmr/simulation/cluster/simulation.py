"""A run of the whole path: replicas, clients, an adversary; then peace, in which everything must finish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from psmr.checking import check
from psmr.core.roster import Roster
from psmr.simulation.adversary import Adversary
from psmr.simulation.cluster.client import Call, SimulatedClient, check_tellings
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.cluster.disk import SimulatedStore
from psmr.simulation.cluster.engine import SequentialEngine
from psmr.simulation.cluster.follower import Follower
from psmr.simulation.cluster.invariants import Watch
from psmr.simulation.cluster.member import CLUSTER_ID, SimulatedMember, Surroundings
from psmr.simulation.cluster.operator import OPERATOR, Operator, seat_of
from psmr.simulation.cluster.service import ADD, FINGERPRINT, GET, NEXT_FINGERPRINT, KeyValueModel, version_of
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.invariants import InvariantViolated
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.scheduler import Scheduler
from psmr.storage import newest_snapshot

_CHECK_TICKS = 4_000
"""Of a thousand steps of the search each; the slowest of 1,500 schedules took 13. Not time: a seed decides everything."""


_AGAIN_US = 200_000
_LOOK_STEPS = 4
"""After so many steps of peace it is looked whether all has finished."""


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """What a run that kept every invariant amounted to."""

    seed: int
    replicas: int
    steps: int
    virtual_us: int
    operations: int
    answered: int
    unknown: int
    entries: int
    elections: int
    crashes: int
    restarts: int
    torn_writes: int
    events: int
    followed: int
    snapshots: int
    installed: int
    changes: int
    erred: int
    parted: int
    rows: int
    digest: str


_TO, _FROM = "to the replica", "to the client"
_DIRECTIONS = ((_TO,), (_FROM,), (_TO, _FROM))


class ClusterAdversary(Adversary):
    """Also lets the power go in the middle of a turn, and disks fail."""

    def __init__(self, members: list[SimulatedMember], *arguments: Any) -> None:
        self._members = members
        self.severed: set[tuple[int, int, str]] = set()
        super().__init__(*arguments)

    def died(self, member: SimulatedMember) -> None:
        """A member died by itself: it comes back as after any crash."""
        self.crashes += 1
        downtime_us = self._conditions.downtime.draw_us(self._random)
        self._scheduler.after(downtime_us, self._restart, member, member.incarnation)

    def crash_soon(self, member: SimulatedMember) -> None:
        """What this one has just done wrong may pass."""
        self._scheduler.after(self._conditions.fault.draw_us(self._random), self._crash, member)

    def _strikes(self) -> Sequence[Callable[[], None]]:
        return (
            *super()._strikes(),
            self._doom_one,
            self._doom_one,
            self._fail_a_disk,
            self._fill_a_disk,
            self._cut_a_client,
        )

    def _doom_one(self) -> None:
        self._random.choice(self._members).doom()

    def _fail_a_disk(self) -> None:
        self._random.choice(self._members).store.fails_next = True

    def _fill_a_disk(self) -> None:
        store = self._random.choice(self._members).store
        store.is_full = True
        self._scheduler.after(self._conditions.downtime.draw_us(self._random), self._make_room, store)

    def _make_room(self, store: SimulatedStore) -> None:
        store.is_full = False

    def _cut_a_client(self) -> None:
        """Between one client and one replica nothing passes, or nothing in one direction, for a while."""
        client, member = self._random.choice((0, 1)), self._random.choice(self._members).me
        cut = self._random.choice(_DIRECTIONS)
        self._trace.note(
            self._scheduler.now_us, f"client {client} and replica {member}: nothing passes {' or '.join(cut)}"
        )
        links = [(client, member, direction) for direction in cut]
        self.severed.update(links)
        self._scheduler.after(
            3 * self._conditions.downtime.draw_us(self._random), self.severed.difference_update, links
        )

    def _restart(self, replica: Any, incarnation: int) -> None:
        if not replica.is_retired:
            super()._restart(replica, incarnation)


class ClusterSimulation:
    """One run of `replicas` production replicas, all of whose chances come from `seed`."""

    def __init__(self, seed: int, replicas: int = 3, write: Callable[[str], object] | None = None) -> None:
        self._seed = seed
        self._random = random = Random(f"{seed}/{replicas}/cluster")
        digests_random = Random(f"{seed}/{replicas}/digests")
        self._conditions = conditions = ClusterConditions.drawn(random, replicas, digests_random)
        self._wrong = conditions.digests.wrong if conditions.digests is not None else {}
        self._scheduler = scheduler = Scheduler()
        self._trace = trace = ClusterTrace(write)
        self._network = SimulatedNetwork(scheduler, random, conditions, self._deliver)
        self._members: list[SimulatedMember] = []
        founders = Roster(tuple(map(seat_of, range(replicas))))
        self._watch = Watch(self._members, founders, scheduler, self._wrong)
        self._calls: list[Call] = []
        self._last: list[tuple[SimulatedClient, Call]] = []
        self._around = around = Surroundings(
            scheduler, random, conditions, self._network, self._watch, trace, self._reply, self._died, self._engine
        )
        for me in range(replicas):
            self._members.append(SimulatedMember(me, founders, around))
        self._adversary = ClusterAdversary(
            self._members, scheduler, random, conditions, self._network, self._members, trace
        )
        self._operator = Operator(
            conditions.plan, conditions.begin_us, scheduler, random, self._members, trace, self._join
        )
        self._clients = [
            SimulatedClient(me, replicas, scheduler, random, conditions, trace, self._calls, self._request, version)
            for me, version in enumerate(self._versions())
        ]
        self._followers = [
            Follower(
                len(self._clients) + each,
                replicas,
                scheduler,
                random,
                conditions,
                trace,
                self._watch.followed,
                self._request,
            )
            for each in range(self._followers_wanted())
        ]
        self._connected: list[SimulatedClient | Follower] = [*self._clients, *self._followers]

    def run(self) -> ClusterResult:
        """Run to the end; raises `InvariantViolated`, or what the code under test raised."""
        scheduler, conditions = self._scheduler, self._conditions
        scheduler.run_until(conditions.chaos_us)
        self._adversary.stop()
        self._adversary.severed.clear()
        for each in self._connected:
            each.calm_down(conditions.calm)
        self._last = self._last_calls()
        if not scheduler.run_until(conditions.chaos_us + conditions.recovery_us, self._has_finished, _LOOK_STEPS):
            self._fail_liveness()
        if self._watch.parting.has_spread:
            return self._result()  # from then on nobody can say who is right
        if self._watch.parting.is_nobody_right:
            self._watch.check_disks()
        else:
            self._watch.check_all()
        check_tellings(self._calls, self._watch.executed)
        self._watch.versions.check_own((call.number, call.fingerprint) for call in self._calls)
        self._check_history()
        return self._result()

    def _versions(self) -> list[int]:
        """Of each client, the version that it calls; of the next one there is one, which is turned away until that runs."""
        return [FINGERPRINT] * self._conditions.clients + [NEXT_FINGERPRINT] * self._is_upgraded

    @property
    def _is_upgraded(self) -> bool:
        return "upgrade" in self._conditions.plan

    def _followers_wanted(self) -> int:
        """None across versions: who follows needs the source of each, and is served by replicas that run it only."""
        return 0 if self._is_upgraded else self._conditions.followers

    def _last_calls(self) -> list[tuple[SimulatedClient, Call]]:
        """Each client whose version runs calls once more."""
        runs = self._watch.remaining[0].engine.service.fingerprint if self._watch.remaining else FINGERPRINT
        return [(one, one.call(op, key=0)) for one in self._clients if one.fingerprint == runs for op in (ADD, GET)]

    def _result(self) -> ClusterResult:
        return ClusterResult(
            seed=self._seed,
            replicas=len(self._members),
            steps=self._scheduler.steps,
            virtual_us=self._scheduler.now_us,
            operations=len(self._calls),
            answered=sum(call.returned_us is not None for call in self._calls),
            unknown=sum(call.failure is not None and not call.is_certainly_not_executed for call in self._calls),
            entries=self._watch.delivered,
            elections=self._watch.elections,
            crashes=self._adversary.crashes,
            restarts=self._adversary.restarts,
            torn_writes=sum(member.store.torn + member.files.torn for member in self._members),
            events=len(self._watch.events.stream),
            followed=sum(each.position for each in self._followers),
            snapshots=sum(member.snapshots for member in self._members),
            installed=sum(member.installed for member in self._members),
            changes=self._operator.settled,
            erred=len(self._watch.parting.erred),
            parted=len(self._watch.parting.stopped),
            rows=len(self._watch.parting.rows),
            digest=self._trace.digest,
        )

    def _engine(self, member: SimulatedMember) -> SequentialEngine:
        """Of the version that executes what follows the member's newest snapshot."""
        newest = newest_snapshot(member.files.folder, member.files, CLUSTER_ID) if self._is_upgraded else None
        service = version_of(FINGERPRINT if newest is None else newest.head.fingerprint)
        executing = self._watch.executing(member.me, service.fingerprint)
        me, wrong = member.me, self._wrong.get(member.me)
        if wrong is not None and wrong.passes and me in self._watch.parting.erred:
            wrong = None
        return SequentialEngine(
            service, self._conditions.slots, executing, member.captured, wrong, lambda: self._err(me)
        )

    def _err(self, me: int) -> None:
        self._watch.parting.erred.add(me)
        self._trace.note(self._scheduler.now_us, f"replica {me} does wrong: {self._wrong[me]}")
        if self._wrong[me].passes:
            self._adversary.crash_soon(self._members[me])

    def _deliver(self, to: int, sender: int, message: Any, payloads: tuple[Any, ...]) -> None:
        if to < len(self._members):
            self._members[to].receive(sender, message, payloads)

    def _request(self, to: int, connection: bytes, frames: list[bytes]) -> None:
        severed = self._adversary.severed
        is_severed = severed and (int(connection.partition(b".")[0]), to, _TO) in severed
        if not is_severed and to < len(self._members):
            self._members[to].request(connection, frames)

    def _reply(self, sender: int, connection: bytes, frames: list[bytes]) -> None:
        if connection == OPERATOR:
            return  # it looks at what became of it
        if self._members[sender].engine.flavour:
            return  # what clients are told by a replica that has parted, until it stops, is not to be relied on
        client, severed = int(connection.partition(b".")[0]), self._adversary.severed
        if not severed or (client, sender, _FROM) not in severed:
            self._connected[client].reply(connection, frames)

    def _join(self) -> SimulatedMember:
        """A replica with an empty disk that founds nothing."""
        self._members.append(SimulatedMember(len(self._members), Roster(), self._around))
        if self._scheduler.now_us >= self._conditions.chaos_us:
            self._members[-1].calm_down(self._conditions.calm)
        return self._members[-1]

    def _died(self, member: SimulatedMember) -> None:
        self._adversary.died(member)

    def _has_finished(self) -> bool:
        """Whether every call was told, the last ones answered, and all replicas executed all of one log.

        A last call that was given up on, because it came before there was a leader again, is called once more.
        """
        parting = self._watch.parting
        if parting.has_spread:
            return True
        if parting.is_nobody_right and parting.is_without_majority:
            return all(call.tellings for call in self._calls)
        if not self._operator.is_done:
            return False
        for _, call in self._last:  # a loop, for mostly it ends here
            if not call.tellings:
                return False
        if any(call.failure for _, call in self._last):
            self._last = self._last_calls()
            return False
        remaining = self._watch.remaining
        length = remaining[0].store.last_index
        if not all(one.is_idle and one.delivered == one.store.last_index == length for one in remaining):
            return False
        if not parting.is_settled(remaining):
            # Who began anew may have been told before, and is told again only when something new is executed.
            if self._scheduler.now_us >= self._last[0][1].invoked_us + _AGAIN_US:
                self._last = self._last_calls()
            return False
        emitted = len(self._watch.events.stream)
        return all(each.position == emitted for each in self._followers) and all(call.tellings for call in self._calls)

    def _fail_liveness(self) -> None:
        states = [
            f"replica {one.me}: {one.log.status() if one.is_up else 'down'}, delivered {one.delivered}"
            for one in self._members
        ]
        untold = [call.text() for call in self._calls if not call.tellings]
        raise InvariantViolated(
            "liveness",
            f"expected every call to be answered and all replicas to execute one log within "
            f"{self._conditions.recovery_us} µs of peace, found {untold or 'every call told'}, "
            f"{'all' if self._operator.is_done else 'not all'} changes of members settled, and:\n  "
            + "\n  ".join(states),
        )

    def _check_history(self) -> None:
        """What clients saw is linearizable.

        By now all replicas have executed one log: what was not answered and is not in it was executed by nobody, and has
        no place in any order. What is in it takes effect when it is first executed anywhere: whoever asks later must see
        it. Only reads beside the log have their place searched for, which keeps the search short and is stricter.
        """
        executed = self._watch.executed
        history = [
            call.operation(executed) for call in self._calls if call.returned_us is not None or call.number in executed
        ]
        ticks = count()
        verdict = check(history, KeyValueModel(), timeout_s=_CHECK_TICKS, clock_s=lambda: next(ticks))
        self.check_ticks = next(ticks)
        if verdict.linearizable is None:
            raise InvariantViolated(
                "decided", f"expected a verdict within {_CHECK_TICKS} ticks, found {verdict.text()}"
            )
        if verdict.linearizable is False:
            raise InvariantViolated("linearizable", verdict.text())


def simulate_cluster(seed: int, replicas: int = 3) -> ClusterResult:
    """Run one seed."""
    return ClusterSimulation(seed, replicas).run()
