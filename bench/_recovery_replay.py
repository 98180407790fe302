"""A log replayed by the path of a restarting replica (`psmr.replica.replay`), and what each process of it used.

Runs apart, in a fresh process: workers are forked before there are any threads.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from multiprocessing import active_children
from statistics import median
from typing import Any

from apps.kv import IntegerKV
from bench._cpu import ThreadTime, read_threads
from bench._measurement import Spread
from bench._recovery_log import WrittenLog
from psmr.demo.apart import run_apart
from psmr.replica.replay import Replay
from psmr.storage import LogStore


@dataclass(frozen=True, slots=True)
class Request:
    """Replay the log `runs` times with each number of workers."""

    log: WrittenLog
    workers: tuple[int, ...]
    runs: int


@dataclass(frozen=True, slots=True)
class Run:
    """One replay; times in seconds. `used`: processor time by process, `loop` being the one that reads and delivers."""

    workers: int
    start_s: float
    """Until the engine's workers are there; in the first run of a process with loading its machine code."""
    opening_s: float
    """Until the log is read through once, found undamaged, and its first megabyte is delivered."""
    replay_s: float
    """From before the log is opened until its last command is executed."""
    commands: int
    digest: str
    sessions_digest: str
    used: Mapping[str, ThreadTime]


def measure(request: Request, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row a number of workers."""
    found = run_apart(replays, request)
    rows = [_row(request.log, [run for run in found if run.workers == workers]) for workers in request.workers]
    for row in rows:
        say(f"{row['series']}: {Spread(tuple(row['runs_per_s'])).text('commands/s')}")
    return rows


def replays(request: Request) -> list[Run]:
    """Every replay; for a process of its own."""
    return [_replay(request.log, workers) for workers in request.workers for _ in range(request.runs)]


def _replay(log: WrittenLog, workers: int) -> Run:
    began_s = time.perf_counter()
    replay = Replay(IntegerKV, workers)
    try:
        # As a replica does before its loop (`psmr.replica.serve`).
        gc.collect()
        gc.freeze()
        before = _used()
        started_s = time.perf_counter()
        opened_s: list[float] = []

        def progress(index: int) -> None:
            if not opened_s:
                opened_s.append(time.perf_counter())

        with LogStore(log.folder, False, cluster_id=log.cluster_id) as store:
            for _ in replay.run(store, log.last_index, progress):
                pass
        ended_s = time.perf_counter()
        used = {name: time.since(before[name]) for name, time in _used().items()}
        return Run(
            workers,
            started_s - began_s,
            opened_s[0] - started_s,
            ended_s - started_s,
            replay.delivery.counts.commands,
            f"{replay.digest:016x}",
            f"{replay.sessions_digest:016x}",
            used,
        )
    finally:
        replay.close()


def _used() -> dict[str, ThreadTime]:
    """What each process has used so far: this one, and the workers."""
    workers = sorted(active_children(), key=lambda process: process.name)
    processes = {"loop": os.getpid()} | {f"worker {n}": process.pid or 0 for n, process in enumerate(workers)}
    return {
        name: reduce(ThreadTime.plus, (used for _, _, used in read_threads(process)), ThreadTime())
        for name, process in processes.items()
    }


def _row(log: WrittenLog, runs: list[Run]) -> dict[str, Any]:
    rates = Spread(tuple(run.commands / run.replay_s for run in runs))
    names = list(runs[0].used)
    return {
        "series": f"replay, {runs[0].workers} worker{'s' * (runs[0].workers > 1)}",
        "workers": runs[0].workers,
        "commands_per_s": round(rates.median),
        "runs_per_s": [round(rate) for rate in rates.runs],
        "with_start_per_s": round(median(run.commands / (run.start_s + run.replay_s) for run in runs)),
        "cores_free_per_s": round(median(run.commands * 1e9 / _busiest_ns(run) for run in runs)),
        "first_start_s": round(runs[0].start_s, 3),
        "opening_s": round(median(run.opening_s for run in runs), 4),
        "cpu_ns_per_command": {
            name: round(median(run.used[name].running_ns / run.commands for run in runs), 1) for name in names
        },
        "cpu_wait_ns_per_command": {
            name: round(median(run.used[name].waiting_ns / run.commands for run in runs), 1) for name in names
        },
        "answers_right": all(is_right(log, run) for run in runs),
        "runs": [asdict(run) for run in runs],
    }


def is_right(log: WrittenLog, run: Run) -> bool:
    """Whether the replay executed all that the log's replica had, and came to the same state and sessions."""
    executed = (run.commands, run.digest, run.sessions_digest)
    return executed == (log.commands, log.digest, log.sessions_digest)


def _busiest_ns(run: Run) -> int:
    return max(1, *(time.running_ns for time in run.used.values()))
