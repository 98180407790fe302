"""What do running digests cost? Two clusters that differ in nothing else, driven in turn, a fraction of a second each.

A machine that others use drifts by more than digests cost. So both clusters run all the time, and bursts of the same commands go to
one, then to the other, then in the opposite order: what is quoted is the median over pairs of bursts a second apart, by the
clock and by the processor time of the client, all replicas and their workers, with the quartiles of the pairs beside it.
Where a process has its pages differs from one start to the next, costs or saves as much as digests do, and stays as it is while
the process lives. So both clusters are started several times, and the pairs of all starts count together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median, quantiles
from typing import Any

from bench._cpu import CpuMeter, CpuSample
from bench._digests import digests
from bench._machine import machine
from bench._sending import send
from cdep import service_of
from psmr.advice.batches import Commands, commands_of, preload_of
from psmr.client.blocking import BlockingConnection, connect_blocking
from psmr.client.options import identity_of
from psmr.cluster.local import LocalCluster
from psmr.config.cluster import Tuning
from psmr.services import find_application
from psmr.workload import WorkloadOptions

QUESTION = "what do digests of all that commands do cost?"
WAYS = ("off", "on")


@dataclass(frozen=True, slots=True)
class Mix:
    """What is run: an application as `psmr demo` names it, its settings, where its log is, and how much goes in a burst."""

    name: str
    application: str
    settings: dict[str, str]
    durability: str
    commands: int


MIXES = (
    Mix("integer keys, half reads, memory", "kv:integer", {"mix": "A"}, "memory", 150_000),
    Mix("integer keys, half reads, disk", "kv:integer", {"mix": "A"}, "disk", 150_000),
    Mix("byte keys and values, half reads, memory", "kv", {"mix": "A"}, "memory", 100_000),
    Mix("orders on 100 books, memory", "book", {"instruments": "100"}, "memory", 60_000),
)
STARTS = 4
PAIRS = 16
PAIRS_QUICK = 3
"""Of bursts, in each start of the two clusters."""


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """A row a mix."""
    mixes = MIXES[:1] if quick else MIXES
    rows = []
    for mix in mixes:
        rows.append(_measured(mix, 1, PAIRS_QUICK) if quick else _measured(mix, STARTS, PAIRS))
        say(f"{mix.name}: {_per_cent(rows[-1]['cpu_share'])} more processor time a command")
    return {"bench": "digests", "question": QUESTION, "machine": machine(), "rows": rows}


@dataclass(slots=True)
class _Side:
    """One of the two clusters, with its client."""

    cluster: LocalCluster
    connection: BlockingConnection
    meter: CpuMeter

    def burst(self, batches: Sequence[Commands]) -> tuple[float, float]:
        """Commands/s, and the processor time of all processes in ns a command."""
        before = self.meter.sample()
        rate = send(self.connection, batches)
        return rate, _used_ns(before, self.meter.sample()) / sum(batch.count for batch in batches)


def _used_ns(before: CpuSample, after: CpuSample) -> int:
    return sum(used.running_ns for used in after.since(before).values())


Found = dict[str, list[tuple[float, float]]]


def _measured(mix: Mix, starts: int, pairs: int) -> dict[str, Any]:
    application = find_application(mix.application)
    service = service_of(application.service)
    workload = application.workload(WorkloadOptions(1, 1, 1024, None, mix.settings))
    preload = preload_of(service, workload)
    bursts = _bursts(commands_of(service, workload, 1, 4 * mix.commands), mix.commands)
    found: Found = {way: [] for way in WAYS}
    same = [_race(mix, preload, bursts, pairs, found) for _ in range(starts)]
    return {"mix": mix.name, **_summary(found), "starts": starts, "pairs": starts * pairs, "same_state": all(same)}


def _race(
    mix: Mix, preload: Sequence[Commands], bursts: Sequence[Sequence[Commands]], pairs: int, found: Found
) -> bool:
    """Start both clusters and add what their bursts took; whether all replicas hold one state afterwards."""
    with ExitStack() as stack:
        sides = {way: _start(stack, mix, way) for way in WAYS}
        for side in sides.values():
            send(side.connection, preload)
            for burst in bursts:
                side.burst(burst)
        for number, burst in enumerate(islice(cycle(bursts), pairs)):
            for way in WAYS if number % 2 else WAYS[::-1]:
                found[way].append(sides[way].burst(burst))
        return len({digest.partition("-")[0] for side in sides.values() for digest in digests(side.cluster)}) == 1


def _start(stack: ExitStack, mix: Mix, way: str) -> _Side:
    tuning = Tuning(digests=way == "on")
    cluster = stack.enter_context(
        LocalCluster(
            mix.application,
            name=f"digests-{way}",
            replicas=3,
            workers=1,
            durability=mix.durability,
            tuning=tuning,
        )
    )
    cluster.wait_ready()
    connection = stack.enter_context(
        connect_blocking(list(cluster.addresses), identity_of(service_of(find_application(mix.application).service)))
    )
    leader = next(replica for replica in cluster.ids if cluster.status(replica).get("role") == "leader")
    return _Side(cluster, connection, CpuMeter(cluster, leader))


def _bursts(batches: Sequence[Commands], commands: int) -> list[list[Commands]]:
    found: list[list[Commands]] = [[]]
    for batch in batches:
        if sum(each.count for each in found[-1]) >= commands:
            found.append([])
        found[-1].append(batch)
    return found


def _summary(found: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    slower = [on[0] / off[0] - 1 for off, on in zip(found["off"], found["on"], strict=True)]
    dearer = [on[1] / off[1] - 1 for off, on in zip(found["off"], found["on"], strict=True)]
    return {
        "commands_per_s": {way: round(median(rate for rate, _ in found[way])) for way in WAYS},
        "cpu_ns_per_command": {way: round(median(cpu for _, cpu in found[way]), 1) for way in WAYS},
        "rate_share": round(median(slower), 4),
        "rate_share_quartiles": [round(share, 4) for share in quantiles(slower, n=4)[::2]],
        "cpu_share": round(median(dearer), 4),
        "cpu_share_quartiles": [round(share, 4) for share in quantiles(dearer, n=4)[::2]],
    }


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [
        ("commands", "commands/s off", "on", "more or less", "quartiles", "CPU ns off", "on", "more", "quartiles")
    ]
    for row in result["rows"]:
        rates, costs = row["commands_per_s"], row["cpu_ns_per_command"]
        rows.append(
            (
                row["mix"],
                *(f"{rates[way]:,}" for way in WAYS),
                _per_cent(row["rate_share"]),
                " … ".join(_per_cent(share) for share in row["rate_share_quartiles"]),
                *(f"{costs[way]:,.0f}" for way in WAYS),
                _per_cent(row["cpu_share"]),
                " … ".join(_per_cent(share) for share in row["cpu_share_quartiles"]),
            )
        )
    return rows


def _per_cent(share: float) -> str:
    return f"{share:+.1%}"


def passed(result: dict[str, Any]) -> bool:
    """Both clusters' replicas hold the same state."""
    return bool(result["rows"]) and all(row["same_state"] for row in result["rows"])
