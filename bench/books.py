"""What does matching cost, and what do workers win? Prepared flows of orders, executed without network and disk, then replicated.

Two flows: an hour of one stock (LOBSTER, if `../shared/data/lobster` has a file; else one generated instrument), and 1,000
instruments chosen by Zipf's law with exponent 1, with the shares of that file. Batches are in place and routed before the clock
runs, and replies taken when it has stopped. Contestants take turns; replies, events and the state afterwards must be the same
with any number of workers: a figure counts only then. The busiest worker's processor time is given beside the time that passed,
as other programs only lengthen the latter. Last, the first flow through three replicas, over and over on one instrument after
another, acknowledged by a majority's disks.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import xxhash

from apps.book import APPLICATION, Book
from bench._books_passes import passes_of
from bench._books_replicated import measure
from bench._growth_cpu import clock_of
from bench._machine import machine
from bench._measurement import Spread
from cdep import service_of
from psmr.demo.traffic import BatchEncoder
from psmr.execution.engine import Engine
from psmr.workload import Segment, WorkloadOptions

QUESTION = "what does matching cost, and what do workers win?"
BATCH = 1024
RING_BYTES = 256 << 20
DATA = Path(__file__).parents[2] / "shared" / "data" / "lobster"
_STALL_S = 60.0
_LOOK_S = 0.0005

Encoded = tuple[bytes, int, bytes]


@dataclass(frozen=True, slots=True)
class Flow:
    """What is executed before the clock runs, and what is measured."""

    name: str
    before: list[Encoded]
    measured: list[Encoded]

    @property
    def commands(self) -> int:
        """How many are measured."""
        return sum(count for _, count, _ in self.measured)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a flow: nanoseconds a command, and a hash of replies, events and state."""

    passed_ns: float
    busiest_ns: float
    answer: tuple[int, int]


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Both flows, with one and two workers."""
    rows = []
    for flow in _flows(quick):
        contestants: dict[int, list[Run]] = {1: [], 2: []}
        for _ in range(1 if quick else 7):
            for workers, found in contestants.items():
                found.append(_run(flow, workers))
        if len({run.answer for found in contestants.values() for run in found}) != 1:
            raise AssertionError(f"books: {flow.name}: expected one answer of one and two workers, found several")
        rows += [_row(flow, workers, found, contestants[1]) for workers, found in contestants.items()]
        say(f"{flow.name}: " + ", ".join(f"{row['busiest_ns']} ns by {row['workers']}" for row in rows[-2:]))
    passes, runs, commands = (2, 1, 10_000) if quick else (37, 5, 100_000)
    replicated = measure(passes_of(_one_stock(), passes, commands), runs, say)
    return {
        "bench": "books",
        "question": QUESTION,
        "machine": machine(),
        "rows": rows,
        "replicated": {"flow": rows[0]["flow"], **replicated},
    }


def _one_stock() -> WorkloadOptions:
    file = next(iter(sorted(DATA.glob("*_message_*.csv"))), None) if DATA.is_dir() else None
    return _generated(instruments="1") if file is None else WorkloadOptions(1, 1, BATCH, file)


def _flows(quick: bool) -> Iterator[Flow]:
    length = 10 if quick else 400
    one = _one_stock()
    if one.input_file is not None:
        yield _flow("an hour of one stock", one, 0, length)
    else:
        yield _flow("one generated instrument", one, length, length)
    # Warm: the first orders of a book touch memory that was never written.
    yield _flow("1,000 instruments, Zipf 1.0", _generated(instruments="1000"), length, length)


def _generated(**parameters: str) -> WorkloadOptions:
    return WorkloadOptions(1, 1, BATCH, parameters={"mix": "file", **parameters})


def _flow(name: str, options: WorkloadOptions, warming: int, length: int) -> Flow:
    workload, encoder = APPLICATION.workload(options), BatchEncoder(service_of(Book))

    def encoded(batches: Iterator[Sequence[Segment]]) -> list[Encoded]:
        return [encoder.encode(segments) for segments in batches]

    batches = workload.batches(0)
    before = encoded(workload.preload()) + encoded(islice(batches, warming))
    return Flow(name, before, encoded(islice(batches, length)))


def _run(flow: Flow, workers: int) -> Run:
    engine = Engine(Book, workers, ring_bytes=RING_BYTES, choose=lambda synchronous, count: workers)
    try:
        engine.start()
        _execute(engine, flow.before)
        passed_s, busiest_ns, digest = _execute(engine, flow.measured)
        return Run(passed_s * 1e9 / flow.commands, busiest_ns / flow.commands, (digest, engine.digest()))
    finally:
        engine.close()


def _execute(engine: Engine, batches: list[Encoded]) -> tuple[float, int, int]:
    """Seconds that passed, nanoseconds of the busiest worker's processor, a hash of replies and events."""
    for batch in batches:
        _prepare(engine, *batch)
    before = _processor_ns()
    started = time.perf_counter()
    engine.publish()
    if not engine.settle(_STALL_S):
        raise AssertionError(f"books: expected the workers to go on, found {engine.dead() or 'them stalled'}")
    passed_s = time.perf_counter() - started
    used = max(after - now for after, now in zip(_processor_ns(), before, strict=True))
    digest = xxhash.xxh3_64()
    for executed in engine.collect():
        digest.update(executed.reply)
        digest.update(executed.events)
    return passed_s, used, digest.intdigest()


def _prepare(engine: Engine, records: bytes, count: int, blob: bytes) -> None:
    """Put a batch in place; a worker may need a moment to give back the places of the batches before."""
    until = time.perf_counter() + _STALL_S
    while not engine.prepare(1, 1, len(records) // count, count, records, blob, 0):
        if time.perf_counter() > until:
            raise AssertionError("books: expected the whole flow to fit the ring")
        time.sleep(_LOOK_S)


def _processor_ns() -> list[int]:
    """What each worker has used of a processor; one engine runs at a time, and has no other children."""
    workers = sorted(process.pid or 0 for process in multiprocessing.active_children())
    return [time.clock_gettime_ns(clock_of(pid)) for pid in workers]


def _row(flow: Flow, workers: int, found: list[Run], alone: list[Run]) -> dict[str, Any]:
    passed, busiest = Spread(tuple(run.passed_ns for run in found)), Spread(tuple(run.busiest_ns for run in found))
    return {
        "flow": flow.name,
        "workers": workers,
        "commands": flow.commands,
        "commands_per_s": round(1e9 / passed.median),
        "busiest_ns": round(busiest.median),
        "ratio": round(Spread(tuple(run.passed_ns for run in alone)).median / passed.median, 2),
        "ratio_by_processor": round(Spread(tuple(run.busiest_ns for run in alone)).median / busiest.median, 2),
        "runs_ns": {"passed": [round(ns) for ns in passed.runs], "busiest": [round(ns) for ns in busiest.runs]},
    }


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [
        ("flow", "workers", "commands/s", "busiest worker", "one worker /s ×", "by processor time")
    ]
    for row in result["rows"]:
        rows.append(
            (
                row["flow"],
                str(row["workers"]),
                f"{row['commands_per_s']:,}",
                f"{row['busiest_ns']:,} ns a command",
                f"{row['ratio']:.2f} ×",
                f"{row['ratio_by_processor']:.2f} ×",
            )
        )
    return rows


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Replicated: rows for people."""
    row = result["replicated"]
    runs = row["runs_per_s"]
    rate = f"{row['commands_per_s']:,} ({min(runs):,} … {max(runs):,})"
    heading = ("flow", "replicas", "durability", "batches of", "in flight", "commands/s, median (least … most)")
    cells = row["flow"], str(row["replicas"]), row["durability"], f"{row['batch']:,}", str(row["window"]), rate
    return {"replicated": [heading, cells]}


def passed(result: dict[str, Any]) -> bool:
    """Answers were compared as each flow was measured; replicas must agree too."""
    return bool(result["rows"]) and bool(result["replicated"]["same_state"])
