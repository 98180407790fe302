"""Carries a plan of faults out on a cluster of this machine, and writes down what happened when."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from psmr.chaos.disks import empty_disk, fill_disk, flip_bit, restore_log
from psmr.chaos.plan import ALONE, EVERYONE, LEADER, Fault, minority
from psmr.chaos.relays import WELL, Condition, Relays
from psmr.cluster.local import LocalCluster
from psmr.cluster.status import ReplicaStatus
from psmr.demo.live import Display
from psmr.demo.scenario import Scenario
from psmr.errors import ClusterUnavailable
from psmr.replica.clocks import monotonic_us, shift_clock

PATIENCE_S = 60.0
_LOOK_S = 0.05
_BREATH_S = 0.3
_CUT = Condition(is_cut=True)
_HELD = Condition(is_held=True)
_SLOW_S = (0.005, 0.06)
_SHIFT_LOG_S = (math.log(60), math.log(86_400))
_REFUSED = 4
"""The exit code of a replica whose disk failed or whose log is damaged."""


@dataclass(slots=True)
class Happening:
    """A fault as it took place: begun, healed, and all well again. `was_leader` is of its victim when it began."""

    kind: str
    target: str
    was_leader: bool
    begun_us: int
    healed_us: int = 0
    well_us: int = 0
    note: str = ""


class Executor:
    """Applies faults in their order, each when its time has come and few enough replicas are at fault."""

    def __init__(
        self, plan: Sequence[Fault], cluster: LocalCluster, relays: Relays, display: Display, seed: int
    ) -> None:
        self.happenings: list[Happening] = []
        self._plan = plan
        self._cluster = cluster
        self._relays = relays
        self._display = display
        self._random = Random(seed)
        self._at_fault: set[int] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._scenario: Scenario | None = None
        self._apply: dict[str, Callable[[Fault, int, Happening], Awaitable[None]]] = {
            "kill": self._kill,
            "pause": self._pause,
            "worker": self._worker,
            "partition": self._partition,
            "mute": self._mute,
            "deaf": self._deaf,
            "slow": self._slow,
            "clock": self._clock,
            "disk": self._disk,
            "corrupt": self._corrupt,
        }

    async def run(self, scenario: Scenario) -> None:
        """Part of `Faults`. Raises ClusterUnavailable when a replica does not come back."""
        self._scenario = scenario
        started_us = monotonic_us()
        try:
            for fault in self._plan:
                await asyncio.sleep(max(0.0, fault.at_s - (monotonic_us() - started_us) / 1e6))
                await self._begin(fault)
            await self._until_at_fault(0)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _begin(self, fault: Fault) -> None:
        if fault.kind == "client":
            self._spawn(self._client(fault))
            return
        members = len(self._cluster.ids)
        await self._until_at_fault(0 if fault.kind in ALONE else minority(members) - 1)
        if fault.kind == "outage":
            await self._outage(fault)
            return
        victim, leader = await self._victim(fault)
        self._at_fault.add(victim)
        applied = self._at(fault, victim, was_leader=victim == leader)
        if fault.kind in ALONE:
            await applied
        else:
            self._spawn(applied)

    def _spawn(self, what: Awaitable[None]) -> None:
        self._running.add(asyncio.ensure_future(what))

    async def _until_at_fault(self, most: int) -> None:
        """Wait until at most so many faults are under way; raise what one of them raised."""
        while True:
            for task in [task for task in self._running if task.done()]:
                self._running.discard(task)
                task.result()
            if len(self._at_fault) <= most and (most or not self._running):
                return
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _victim(self, fault: Fault) -> tuple[int, int]:
        """The replica to harm and the one that leads: the leader if it is wanted, else the number given; never one at fault."""
        leader = await self._leader()
        wanted = leader if fault.target == LEADER else int(fault.target)
        others = [number for number in self._cluster.ids if number not in self._at_fault]
        return (wanted if wanted in others else self._random.choice(others)), leader

    async def _at(self, fault: Fault, victim: int, *, was_leader: bool) -> None:
        happening = self._note(fault.kind, f"replica {victim}", was_leader=was_leader)
        try:
            await self._apply[fault.kind](fault, victim, happening)
            await self._until_well(victim, since_us=happening.begun_us)
            happening.well_us = monotonic_us()
            await asyncio.sleep(_BREATH_S)
        finally:
            self._at_fault.discard(victim)

    def _note(self, kind: str, target: str, *, was_leader: bool = False) -> Happening:
        happening = Happening(kind, target, was_leader, monotonic_us())
        self.happenings.append(happening)
        self._display.event(f"{kind}: {target}{', the leader' if was_leader else ''}")
        return happening

    def _healed(self, happening: Happening, note: str = "") -> None:
        happening.healed_us = monotonic_us()
        happening.note = note
        self._display.event(f"{happening.kind} over: {happening.target}{f' ({note})' if note else ''}")

    # --- the faults ---------------------------------------------------------------------------------------------------

    async def _client(self, fault: Fault) -> None:
        clients = self._scenario.clients if self._scenario else []
        number = int(fault.target) % len(clients)
        happening = self._note("client", f"client {number + 1}")
        await clients[number].restart()
        self._healed(happening)
        happening.well_us = happening.healed_us

    async def _kill(self, fault: Fault, victim: int, happening: Happening) -> None:
        self._cluster.kill(victim)
        await asyncio.sleep(fault.lasts_s)
        self._cluster.start(victim)
        self._healed(happening)

    async def _pause(self, fault: Fault, victim: int, happening: Happening) -> None:
        self._cluster.pause(victim)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            self._cluster.resume(victim)
        self._healed(happening)

    async def _worker(self, fault: Fault, victim: int, happening: Happening) -> None:
        replica = self._cluster.process(victim).pid
        worker = self._random.choice(_children(replica, "psmr-worker-"))
        os.kill(worker, signal.SIGKILL)
        # The replica starts again from its log, in the same process: what counts its time begins anew.
        await self._until(lambda statuses: _is_younger(statuses, victim, happening.begun_us), f"replica {victim} anew")
        self._healed(happening, f"worker process {worker} killed")

    async def _partition(self, fault: Fault, victim: int, happening: Happening) -> None:
        await self._links(fault, victim, happening, _CUT, outgoing=True, incoming=True)

    async def _mute(self, fault: Fault, victim: int, happening: Happening) -> None:
        await self._links(fault, victim, happening, _HELD, outgoing=True, incoming=False)

    async def _deaf(self, fault: Fault, victim: int, happening: Happening) -> None:
        await self._links(fault, victim, happening, _HELD, outgoing=False, incoming=True)

    async def _slow(self, fault: Fault, victim: int, happening: Happening) -> None:
        slow = Condition(delay_s=self._random.uniform(*_SLOW_S))
        await self._links(fault, victim, happening, slow, outgoing=True, incoming=True)
        happening.note = f"{slow.delay_s * 1000:.0f} ms for every 64 KiB"

    async def _links(
        self, fault: Fault, victim: int, happening: Happening, how: Condition, *, outgoing: bool, incoming: bool
    ) -> None:
        if outgoing:
            self._relays.set_outgoing(victim, how)
        if incoming:
            self._relays.set_incoming(victim, how)
        await asyncio.sleep(fault.lasts_s)
        self._relays.set_outgoing(victim, WELL)
        self._relays.set_incoming(victim, WELL)
        self._healed(happening)

    async def _clock(self, fault: Fault, victim: int, happening: Happening) -> None:
        """The time of day jumps by minutes to a day, forth or back, and returns; stamps of the log must not go back with it."""
        shift_s = self._random.choice((-1, 1)) * math.exp(self._random.uniform(*_SHIFT_LOG_S))
        data = self._cluster.config.data
        shift_clock(data, victim, int(shift_s * 1e6))
        await asyncio.sleep(fault.lasts_s)
        shift_clock(data, victim, 0)
        self._healed(happening, f"{shift_s / 3600:+.2f} h")

    async def _disk(self, fault: Fault, victim: int, happening: Happening) -> None:
        process = self._cluster.process(victim)
        self._cluster.expect_end(victim)
        pid = process.pid
        if pid is not None:
            fill_disk(pid)
        until_us = monotonic_us() + int(fault.lasts_s * 1e6)
        while process.running and monotonic_us() < until_us:
            await asyncio.sleep(_LOOK_S)
        if process.running and pid is not None:
            empty_disk(pid)
            note = "it wrote nothing meanwhile"
        else:
            self._require_refusal(victim)
            note = "it ended, and said why"
        self._cluster.start(victim)
        self._healed(happening, note)

    async def _corrupt(self, fault: Fault, victim: int, happening: Happening) -> None:
        """A bit flips in the log of a replica that is down, once each of the others has what this one may lose."""
        self._cluster.kill(victim)
        await asyncio.sleep(fault.lasts_s)
        mine = await self._last_index_of_others(victim)
        await self._until(lambda statuses: _all_beyond(statuses, victim, mine), f"every peer beyond log index {mine}")
        place = flip_bit(self._cluster.config.folder(victim), self._random)
        self._cluster.start(victim)
        self._cluster.expect_end(victim)
        process = self._cluster.process(victim)
        await self._until(
            lambda statuses: not process.running or _answers(statuses, victim), f"replica {victim} to start or refuse"
        )
        if process.running:
            self._cluster.start(victim)
            self._healed(happening, f"{place}: cut off, and fetched from its peers again")
            return
        self._require_refusal(victim)
        await self._restore(victim)
        self._healed(happening, f"{place}: refused as damage, restored from a peer with all stopped")

    async def _last_index_of_others(self, victim: int) -> int:
        """An index that the victim's log did not pass: what the leader had after its death."""
        statuses = await asyncio.to_thread(self._cluster.statuses)
        return max((int(s.get("last_index")) for s in statuses if s.reachable and s.id != victim), default=0)

    async def _restore(self, victim: int) -> None:
        donor = max(
            (status for status in await asyncio.to_thread(self._cluster.statuses) if status.reachable),
            key=lambda status: int(status.get("last_index")),
        )
        for number in self._cluster.ids:
            await self._stop(number)
        config = self._cluster.config
        restore_log(config.folder(victim), config.folder(int(donor.id or 0)))
        for number in self._cluster.ids:
            self._cluster.start(number)
        await self._until(_all_answer, "every replica to answer")

    async def _stop(self, number: int) -> None:
        process = self._cluster.process(number)
        self._cluster.expect_end(number)
        process.terminate()
        await self._until(lambda statuses: not process.running, f"replica {number} to stop")

    async def _outage(self, fault: Fault) -> None:
        happening = self._note("outage", EVERYONE)
        for number in self._cluster.ids:
            self._cluster.kill(number)
        await asyncio.sleep(fault.lasts_s)
        for number in self._cluster.ids:
            self._cluster.start(number)
        self._healed(happening)
        await self._until(_all_answer, "every replica to answer")
        await self._leader()
        happening.well_us = monotonic_us()

    def _require_refusal(self, victim: int) -> None:
        process = self._cluster.process(victim)
        if process.exit_code != _REFUSED:
            raise ClusterUnavailable(f"expected a replica that says what is wrong, found: {process.obituary()}")

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def _leader(self) -> int:
        """Who leads, in the highest term of those that are not at fault."""
        found: list[int] = []

        def leads(statuses: Sequence[ReplicaStatus]) -> bool:
            leading = [s for s in statuses if s.get("role") == "leader" and s.id not in self._at_fault]
            found[:] = [int(s.id or 0) for s in sorted(leading, key=lambda s: int(s.get("term")))]
            return bool(found)

        await self._until(leads, "a leader")
        return found[-1]

    async def _until_well(self, victim: int, *, since_us: int) -> None:
        def is_well(statuses: Sequence[ReplicaStatus]) -> bool:
            return any(s.id == victim and s.reachable and s.get("leader") is not None for s in statuses)

        await self._until(is_well, f"replica {victim} to answer and to know a leader")

    async def _until(self, reached: Callable[[Sequence[ReplicaStatus]], bool], what: str) -> None:
        until_us = monotonic_us() + int(PATIENCE_S * 1e6)
        while not reached(statuses := await asyncio.to_thread(self._cluster.statuses)):
            if monotonic_us() > until_us:
                found = {status.id: status.get("role") or status.problem for status in statuses}
                raise ClusterUnavailable(f"expected {what} within {PATIENCE_S:g} s, found {found}")
            await asyncio.sleep(_LOOK_S)


def _answers(statuses: Sequence[ReplicaStatus], victim: int) -> bool:
    return any(status.id == victim and status.reachable for status in statuses)


def _all_answer(statuses: Sequence[ReplicaStatus]) -> bool:
    return all(status.reachable for status in statuses)


def _is_younger(statuses: Sequence[ReplicaStatus], victim: int, than_us: int) -> bool:
    return any(s.id == victim and s.reachable and int(s.get("uptime_us")) < monotonic_us() - than_us for s in statuses)


def _all_beyond(statuses: Sequence[ReplicaStatus], victim: int, index: int) -> bool:
    return all(s.reachable and int(s.get("committed")) >= index for s in statuses if s.id != victim)


def _children(process: int | None, name: str) -> list[int]:
    """The child processes whose name begins so."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            called, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            if called.startswith(name) and int(rest.split()[1]) == process:
                found.append(int(stat.parent.name))
    return found
