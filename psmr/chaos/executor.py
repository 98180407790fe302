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

from psmr.chaos.disks import empty_disk, fill_disk, flip_bit, flip_byte, restore_log
from psmr.chaos.plan import ALONE, EVERYONE, LEADER, Fault, minority
from psmr.chaos.relays import WELL, Condition, Relays
from psmr.chaos.snapshot_counts import fetches
from psmr.chaos.turnover import Turnover
from psmr.chaos.watching import LOOK_S, Watch
from psmr.cluster.local import LocalCluster
from psmr.cluster.status import ReplicaStatus
from psmr.demo.live import Display
from psmr.demo.scenario import Scenario
from psmr.errors import ClusterUnavailable, Violation
from psmr.replica.clocks import monotonic_us, shift_clock

_BREATH_S = 0.3
_CUT = Condition(is_cut=True)
_HELD = Condition(is_held=True)
_AWAY_MORE_S = 15.0
"""So long at most a replica stays away, beyond its time, until the others have compacted past it."""
_SLOW_S = (0.005, 0.06)
_SHIFT_LOG_S = (math.log(60), math.log(86_400))
_DAMAGED = "snapshot-*.damaged"
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
        self._watch = Watch(cluster)
        self._turnover = Turnover(cluster, relays, self._watch)
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
            "corrupt-snapshot": self._corrupt_snapshot,
            "away": self._away,
            "replace": self._replace,
            "remove-leader": self._remove_leader,
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
        if fault.target == EVERYONE:
            await self._everyone(fault)
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
        """The replica to harm and the one that leads: the leader if that is wanted, else that place's; never one at fault."""
        leader = await self._watch.leader(but=self._at_fault)
        ids = self._cluster.ids
        wanted = leader if fault.target == LEADER else ids[int(fault.target) - 1]
        others = [number for number in ids if number not in self._at_fault]
        return (wanted if wanted in others else self._random.choice(others)), leader

    async def _at(self, fault: Fault, victim: int, *, was_leader: bool) -> None:
        happening = self._note(fault.kind, f"replica {victim}", was_leader=was_leader)
        try:
            await self._apply[fault.kind](fault, victim, happening)
            if victim in self._cluster.ids:
                await self._watch.knows_leader(victim)
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
        await self._watch.until(
            lambda statuses: _is_younger(statuses, victim, happening.begun_us), f"replica {victim} anew"
        )
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
            await asyncio.sleep(LOOK_S)
        if process.running and pid is not None:
            empty_disk(pid)
            # What failed a moment ago may be about to end it. It is not, once it has answered twice since.
            for _ in range(2):
                await self._watch.until(
                    lambda statuses: not process.running or _answers(statuses, victim),
                    f"replica {victim} to answer or refuse",
                )
        if process.running:
            note = "it wrote nothing meanwhile"
        else:
            self._require_refusal(victim)
            note = "it ended, and said why"
        self._cluster.start(victim)
        self._healed(happening, note)

    async def _corrupt(self, fault: Fault, victim: int, happening: Happening) -> None:
        """A bit flips in the log of a replica that is down."""
        await self._damage(fault, victim, happening, flip_bit, "cut off, and fetched from its peers again")

    async def _corrupt_snapshot(self, fault: Fault, victim: int, happening: Happening) -> None:
        """A byte changes in the newest snapshot of a replica that is down: nobody may begin with it."""
        folder = self._cluster.config.folder(victim)
        before = len(list(folder.glob(_DAMAGED)))
        place = await self._damage(fault, victim, happening, flip_byte, "left aside")
        if place and len(list(folder.glob(_DAMAGED))) != before + 1:
            raise Violation(f"{folder}: expected the damaged snapshot to be left aside, found {happening.note}")

    async def _damage(
        self, fault: Fault, victim: int, happening: Happening, harm: Callable[[Path, Random], str], mildly: str
    ) -> str:
        """Harm a replica's files while it is down, once each of the others has what this one may lose; where it was harmed."""
        self._cluster.kill(victim)
        await asyncio.sleep(fault.lasts_s)
        mine = await self._watch.last_index(but=victim)
        await self._watch.until(
            lambda statuses: _all_beyond(statuses, victim, mine), f"every peer beyond log index {mine}"
        )
        place = harm(self._cluster.config.folder(victim), self._random)
        self._cluster.start(victim)
        self._cluster.expect_end(victim)
        process = self._cluster.process(victim)
        await self._watch.until(
            lambda statuses: not process.running or _answers(statuses, victim), f"replica {victim} to start or refuse"
        )
        if process.running:
            self._cluster.start(victim)
            await self._watch.caught_up(victim)
            self._healed(happening, f"{place}: {mildly}" if place else "there is none yet")
            return place
        self._require_refusal(victim)
        await self._restore(victim)
        self._healed(happening, f"{place}: refused as damage, restored from a peer with all stopped")
        return place

    async def _away(self, fault: Fault, victim: int, happening: Happening) -> None:
        """A replica is stopped until the log that it would need is gone."""
        await self._turnover.stop(victim)
        mine = await self._watch.last_index(but=victim)
        log = self._cluster.process(victim).log
        fetched = fetches(log)
        until_us = monotonic_us() + int(fault.lasts_s * 1e6)
        giving_up_us = until_us + int(_AWAY_MORE_S * 1e6)
        while monotonic_us() < until_us or not _is_forgotten(await self._watch.statuses(), mine):
            if monotonic_us() > giving_up_us:
                break
            await asyncio.sleep(LOOK_S)
        self._cluster.start(victim)
        self._healed(happening)
        await self._watch.caught_up(victim)
        happening.note = (
            f"fetched {fetches(log) - fetched} snapshots" if fetches(log) > fetched else "needed no snapshot"
        )

    async def _replace(self, fault: Fault, victim: int, happening: Happening) -> None:
        self._healed(happening, await self._turnover.replace(victim))

    async def _remove_leader(self, fault: Fault, victim: int, happening: Happening) -> None:
        self._healed(happening, await self._turnover.remove_leader(victim))

    async def _restore(self, victim: int) -> None:
        donor = max(
            (status for status in await self._watch.statuses() if status.reachable),
            key=lambda status: int(status.get("last_index")),
        )
        for number in self._cluster.ids:
            await self._turnover.stop(number)
        config = self._cluster.config
        restore_log(config.folder(victim), config.folder(int(donor.id or 0)))
        for number in self._cluster.ids:
            self._cluster.start(number)
        await self._watch.all_answer()

    async def _everyone(self, fault: Fault) -> None:
        happening = self._note(fault.kind, EVERYONE)
        if fault.kind == "roll":
            self._healed(happening, await self._turnover.roll())
        else:
            await self._outage(fault, happening)
        await self._watch.all_answer()
        await self._watch.leader()
        happening.well_us = monotonic_us()

    async def _outage(self, fault: Fault, happening: Happening) -> None:
        for number in self._cluster.ids:
            self._cluster.kill(number)
        await asyncio.sleep(fault.lasts_s)
        for number in self._cluster.ids:
            self._cluster.start(number)
        self._healed(happening)

    def _require_refusal(self, victim: int) -> None:
        process = self._cluster.process(victim)
        if process.exit_code != _REFUSED:
            raise ClusterUnavailable(f"expected a replica that says what is wrong, found: {process.obituary()}")


def _answers(statuses: Sequence[ReplicaStatus], victim: int) -> bool:
    return any(status.id == victim and status.reachable for status in statuses)


def _is_forgotten(statuses: Sequence[ReplicaStatus], index: int) -> bool:
    """Whether a leader no longer has the entry behind that index."""
    return any(s.get("role") == "leader" and int(s.get("first_index")) > index + 1 for s in statuses)


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
