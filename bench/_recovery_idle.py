"""What a cluster costs that nobody calls: processor time and wake-ups of each thread, memory of each process.

A wake-up is a voluntary context switch: the thread went to sleep, and was woken. Memory is the kernel's account of a process:
PSS shares a page among those that map it, USS are the pages that nobody else maps. What is shared memory in it (state, rings,
replies) is the replica's state and is taken off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from apps.kv import IntegerKV
from bench._cpu import CpuMeter, CpuSample
from psmr.cluster.local import LocalCluster

REPLICAS = 3
WORKERS = 2
_SETTLE_S = 1.0
_WAKES = "voluntary_ctxt_switches:"
_PRIVATE = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")
_KIB_PER_MIB = 1024


def measure(seconds: float, say: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start three replicas of two workers and leave them alone: (what they use, what memory they hold)."""
    with LocalCluster(IntegerKV, name="idle", replicas=REPLICAS, workers=WORKERS) as cluster:
        say(f"at rest: starting {REPLICAS} replicas")
        meter = CpuMeter(cluster, cluster.wait_ready())
        time.sleep(min(_SETTLE_S, seconds))
        before, woken = _sample(meter)
        time.sleep(seconds)
        after, woken_after = _sample(meter)
        memory = _memory(after)
    wakes = {thread: count - woken.get(thread, 0) for thread, count in woken_after.items()}
    idle = _idle(before, after, wakes)
    say(f"at rest: {idle['cpu_share']:.2%} of a core; at most {memory['beyond_state_mib_max']:.0f} MiB a process")
    return idle, memory


def _sample(meter: CpuMeter) -> tuple[CpuSample, dict[tuple[str, int], int]]:
    """The cluster's threads now, and how often each was woken so far."""
    sample = meter.sample()
    threads = {key: used for key, used in sample.threads.items() if not key[0].startswith("client ")}
    counts = {key: _wakes(key[1]) for key in threads}
    return CpuSample(threads, sample.at_s, sample.busy_ticks), counts


def _idle(before: CpuSample, after: CpuSample, wakes: dict[tuple[str, int], int]) -> dict[str, Any]:
    elapsed_s = after.at_s - before.at_s
    used = after.since(before)
    roles = {
        role: {
            "cpu_share": round(used[role].running_ns / 1e9 / elapsed_s, 5) if role in used else 0.0,
            "threads": sum(name == role for name, _ in wakes),
            "wakes_per_s": round(sum(count for (name, _), count in wakes.items() if name == role) / elapsed_s, 1),
        }
        for role in dict.fromkeys(role for role, _ in wakes)
    }
    total_ns = sum(time.running_ns for time in used.values())
    return {"seconds": round(elapsed_s, 2), "cpu_share": round(total_ns / 1e9 / elapsed_s, 5), "roles": roles}


def _memory(sample: CpuSample) -> dict[str, Any]:
    """Each process of the cluster. A process's first thread has its id."""
    processes: list[dict[str, Any]] = []
    for role, thread in sample.threads:
        if role.endswith((" loop", " workers")):
            found = memory_of(thread)
            if found:
                processes.append({"role": role.removesuffix("s"), **found})
    return {
        "processes": processes,
        "beyond_state_mib_max": max(one["beyond_state_mib"] for one in processes),
        "beyond_state_mib_sum": round(sum(one["beyond_state_mib"] for one in processes), 1),
        "pss_mib_sum": round(sum(one["pss_mib"] for one in processes), 1),
    }


def memory_of(process: int) -> dict[str, float]:
    """MiB of a process; nothing of a thread that is none."""
    fields = _kibibytes(Path("/proc") / str(process) / "smaps_rollup")
    if not fields:
        return {}
    kibibytes = {
        "pss_mib": fields["Pss"],
        "state_mib": fields["Pss_Shmem"],
        "beyond_state_mib": fields["Pss"] - fields["Pss_Shmem"],
        "uss_mib": sum(fields[name] for name in _PRIVATE),
        "rss_mib": fields["Rss"],
    }
    return {name: round(size / _KIB_PER_MIB, 1) for name, size in kibibytes.items()}


def _kibibytes(file: Path) -> dict[str, int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = (line.split() for line in file.read_text().splitlines()[1:])
        return {name.rstrip(":"): int(size) for name, size, _ in lines}
    return {}


def _wakes(thread: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = (Path("/proc") / str(thread) / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(_WAKES))
    return 0
