"""What clients notice of a snapshot: puts due at a fixed rate, with snapshots meanwhile and without, run by run in turn.

Two clusters hold the same keys; one takes snapshots every few megabytes of log, the other none. Latency counts from the time
at which a command was due. Around each snapshot, of any replica, from a little before until a little after it: the longest
time in which nothing was answered, and the slowest answer. The same is asked of the runs without snapshots, in stretches of
the same length, for the machine has pauses of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.kv import IntegerKV
from bench._digests import digests
from bench._open_loop import Account, Schedule, quantiles_us, run_open_loop
from bench._rate import ColumnLink
from bench._snapshots_stream import connect, fill
from bench._snapshots_watch import SnapshotSeen, SnapshotWatch, wait_for_quiet
from psmr.cluster.local import LocalCluster
from psmr.config import Tuning

MARGIN_NS = 100_000_000
"""A snapshot begins before its file is there (delivery drains) and has effects after it (the log is compacted)."""
_HEAD_START_NS = 5_000_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pause:
    """One size of state to measure with."""

    keys: int
    rate_per_s: int = 100_000
    ahead: int = 2
    snapshot_mib: int = 16
    seconds: float = 10.0
    warm_up_s: float = 2.0
    runs: int = 3


@dataclass(frozen=True, slots=True)
class Around:
    """What clients noticed around one snapshot, or in a stretch of a run without."""

    replica: int
    seconds: float
    gap_ms: float
    begin_gap_ms: float
    end_gap_ms: float
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class _Run:
    account: Account
    seen: Sequence[SnapshotSeen]


def measure(pause: Pause, say: Say) -> dict[str, Any]:
    """Runs with and without snapshots in turn."""
    with ExitStack() as stack:
        with_, without = (
            stack.enter_context(LocalCluster(IntegerKV, name=f"pause-{name}", workers=1, tuning=tuning))
            for name, tuning in (
                ("with", Tuning(snapshot_mib=pause.snapshot_mib, segment_mib=min(16, pause.snapshot_mib))),
                ("without", Tuning(snapshot_mib=0)),
            )
        )
        leaders, links = [], []
        for cluster in (with_, without):
            leaders.append(_prepare(cluster, pause, say))
            links.append(stack.enter_context(_link(cluster, leaders[-1], pause)))
        runs: list[list[_Run]] = [[], []]
        for _ in range(pause.runs):
            for place, cluster in enumerate((with_, without)):
                runs[place].append(_run(cluster, links[place], pause))
        size_bytes = max(status.get("snapshot_bytes") for status in with_.statuses())
        taken = [digests(cluster) for cluster in (with_, without)]
    row = _row(pause, runs[0], runs[1])
    row |= {
        "leader": leaders[0],
        "snapshot_bytes": size_bytes,
        "digests_equal": all(len(set(one)) == 1 for one in taken),
    }
    say(
        f"{pause.keys:,} keys: longest gap around a snapshot {row['around']['gap_ms_max']:.1f} ms, "
        f"without snapshots {row['elsewhere']['gap_ms_max']:.1f} ms"
    )
    return row


def _prepare(cluster: LocalCluster, pause: Pause, say: Say) -> int:
    say(f"{pause.keys:,} keys: starting 3 replicas, snapshots every {cluster.config.tuning.snapshot_mib} MiB of log")
    leader = cluster.wait_ready()
    with connect(cluster.addresses, 8) as client:
        fill(client, pause.keys)
    digests(cluster)
    _settle(cluster)
    return leader


def _settle(cluster: LocalCluster) -> None:
    """What was put in the files so far is to reach the disk now, and not in the middle of a run."""
    wait_for_quiet(_folders(cluster))
    os.sync()


def _folders(cluster: LocalCluster) -> dict[int, Any]:
    return {number: cluster.config.folder(number) for number in cluster.ids}


def _link(cluster: LocalCluster, leader: int, pause: Pause) -> ColumnLink:
    count = round(pause.rate_per_s * max(pause.seconds, pause.warm_up_s))
    random = np.random.default_rng(3)
    keys = random.integers(0, pause.keys, count, dtype=np.uint64)
    address = cluster.addresses[cluster.ids.index(leader)]
    return ColumnLink(address, pause.ahead, (keys, keys * np.uint64(5)), IntegerKV, "put")


def _run(cluster: LocalCluster, link: ColumnLink, pause: Pause) -> _Run:
    with SnapshotWatch(_folders(cluster)) as watch:
        _drive(link, pause, pause.warm_up_s)
        account = _drive(link, pause, pause.seconds)
    wait_for_quiet(_folders(cluster))
    return _Run(account, [seen for seen in watch.seen if seen.ended_ns > account.due_ns[0]])


def _drive(link: ColumnLink, pause: Pause, seconds: float) -> Account:
    link.restart()
    schedule = Schedule(time.perf_counter_ns() + _HEAD_START_NS, pause.rate_per_s, round(pause.rate_per_s * seconds))
    return run_open_loop(schedule, link, time.perf_counter_ns)


def around(account: Account, began_ns: int, ended_ns: int, replica: int = 0) -> Around:
    """What clients noticed from MARGIN_NS before a snapshot began until MARGIN_NS after its end."""
    early_ns, late_ns = began_ns - MARGIN_NS, ended_ns + MARGIN_NS
    inside = (account.answered_ns >= early_ns) & (account.due_ns <= late_ns)
    latencies_us = account.latencies_us[inside]
    return Around(
        replica,
        (ended_ns - began_ns) / 1e9,
        longest_gap_ms(account.answered_ns, early_ns, late_ns),
        longest_gap_ms(account.answered_ns, early_ns, began_ns + MARGIN_NS),
        longest_gap_ms(account.answered_ns, ended_ns - MARGIN_NS, late_ns),
        float(latencies_us.max()) / 1000 if len(latencies_us) else 0.0,
    )


def longest_gap_ms(answered_ns: NDArray[np.int64], early_ns: int, late_ns: int) -> float:
    """The longest time between two answers that follow each other, of those times that lie at least partly within."""
    times = np.unique(answered_ns)
    first = max(0, int(np.searchsorted(times, early_ns)) - 1)
    last = min(len(times), int(np.searchsorted(times, late_ns, "right")) + 1)
    return float(np.diff(times[first:last]).max(initial=0)) / 1e6


def _row(pause: Pause, with_: list[_Run], without: list[_Run]) -> dict[str, Any]:
    snapshots = [around(run.account, seen.began_ns, seen.ended_ns, seen.replica) for run in with_ for seen in run.seen]
    length_ns = round(median(one.seconds for one in snapshots) * 1e9) if snapshots else MARGIN_NS
    stretches = [around(run.account, *stretch) for run in without for stretch in _stretches(run.account, length_ns)]
    return {
        **asdict(pause),
        "with": _latency(with_),
        "without": _latency(without),
        "around": _gaps(snapshots),
        "elsewhere": _gaps(stretches),
        "snapshots": [asdict(one) for one in snapshots],
    }


def _stretches(account: Account, length_ns: int) -> list[tuple[int, int]]:
    """A run cut into stretches that long, with their margins; one at least."""
    began_ns, ended_ns = int(account.due_ns[0]) + MARGIN_NS, int(account.due_ns[-1]) - MARGIN_NS
    starts = range(began_ns, max(began_ns + 1, ended_ns - length_ns), length_ns + 2 * MARGIN_NS)
    return [(start, start + length_ns) for start in starts]


def _latency(runs: list[_Run]) -> dict[str, Any]:
    """Medians of the runs, and the worst of all of them."""
    found = [quantiles_us(run.account.latencies_us) for run in runs]
    gaps = [float(np.diff(np.unique(run.account.answered_ns)).max(initial=0)) / 1e6 for run in runs]
    return {
        "median_of_runs_us": {name: round(median(one[name] for one in found)) for name in found[0]},
        "runs_us": found,
        "longest_gaps_ms": [round(gap, 2) for gap in gaps],
    }


def _gaps(found: list[Around]) -> dict[str, Any]:
    """Of several: how many, how long, the gaps' median and maximum."""
    names = ("gap_ms", "begin_gap_ms", "end_gap_ms", "slowest_ms")
    result: dict[str, Any] = {"count": len(found)}
    result["seconds"] = round(median(one.seconds for one in found), 3) if found else 0.0
    for name in names:
        values = [getattr(one, name) for one in found] or [0.0]
        result |= {f"{name}_median": round(median(values), 2), f"{name}_max": round(max(values), 2)}
    return result
