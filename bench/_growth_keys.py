"""What does a command cost as the keys become more? One engine is filled further and further, and measured on the way.

Half gets, half puts, on keys drawn evenly from those that are there, new ones each run: what no cache holds must be fetched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench._growth_engine import Driven
from bench._growth_model import Records, mixed
from bench._growth_plan import Plan
from bench._growth_rows import Row, line, measured, stopped
from bench._growth_services import KEYS_MAX, GrowingArray, GrowingMap

DIMENSION = "keys"
WORKERS = (1, 2)
MARGIN_BYTES = 2 << 30
_STEP = 10_000_000
_MODEL_BYTES = 8
_CGROUP = Path("/sys/fs/cgroup")


def measure(plan: Plan, until: float, say: Callable[[str], None]) -> Iterator[Row]:
    """A row a container, number of workers and number of keys; the digests of one and two workers must be equal."""
    until = min(until, time.monotonic() + plan.keys_s)
    digests: dict[tuple[str, int], int] = {}
    for owner in (GrowingArray, GrowingMap):  # the cheap one first: time is limited
        for workers in WORKERS:
            with Driven(owner, workers) as driven:
                yield from _grow(driven, plan, until, digests, say)


def _grow(
    driven: Driven, plan: Plan, until: float, digests: dict[tuple[str, int], int], say: Callable[[str], None]
) -> Iterator[Row]:
    container = driven.engine.service.name.removeprefix("Growing")
    series = f"{container}, {driven.engine.workers} worker{'s' if driven.engine.workers > 1 else ''}"
    keys, s_per_key = 0, 0.0
    for size in plan.keys:
        why = no_room(driven, size, available_bytes())
        if keys and not why:
            why = _no_time(s_per_key * (size - keys), until)
        if why:
            row = stopped(DIMENSION, size, series, why)
            say(line(row))
            yield row
            return
        started = time.monotonic()
        fill_cpu_ns = _fill(driven, keys, size, plan, lambda text: say(f"{series}: {text}"))
        s_per_key = (time.monotonic() - started) / (size - keys)
        keys = size
        random = np.random.default_rng(size)
        figures = driven.measure(_drawing(random, size), plan)
        digest = driven.engine.digest()
        right = driven.right and digests.setdefault((container, size), digest) == digest
        more = {"fill_cpu_ns_per_key": round(fill_cpu_ns, 1), "memory_mib": driven.memory_mib}
        row = measured(DIMENSION, size, series, figures, right, container=container, **more)
        say(line(row))
        yield row


def _drawing(random: np.random.Generator, keys: int) -> Callable[[int], Records]:
    return lambda count: mixed(random, random.integers(0, keys, count))


def _fill(driven: Driven, first: int, last: int, plan: Plan, say: Callable[[str], None]) -> float:
    """Put keys `first` to `last` − 1: ns of processor time a key."""
    total_ns = 0.0
    for start in range(first, last, _STEP):
        end = min(last, start + _STEP)
        total_ns += driven.fill(np.arange(start, end), plan) * (end - start)
        if last - first > _STEP:
            say(f"filled with {end:,} keys")
    return total_ns / (last - first)


def no_room(driven: Driven, keys: int, available: int) -> str:
    """Why `available` bytes are too few for that many keys, in engine and model together; empty if they are not."""
    state_bytes = sum(container.size_bytes for container in driven.engine.memory.containers.values())
    wanted = (state_bytes + _MODEL_BYTES * KEYS_MAX) * keys // KEYS_MAX - driven.engine.memory.state_bytes()
    if wanted + MARGIN_BYTES <= available:
        return ""
    return (
        f"expected {wanted / 2**30:.1f} GiB of memory and {MARGIN_BYTES / 2**30:.0f} GiB to spare, "
        f"found {available / 2**30:.1f} GiB available"
    )


def _no_time(least_s: float, until: float) -> str:
    left_s = until - time.monotonic()
    if least_s < left_s:
        return ""
    return f"expected the fill to take {least_s:.0f} s or more, found {max(0.0, left_s):.0f} s left of the time for it"


def available_bytes() -> int:
    """Memory that can be had without swapping, by the machine's account and the control group's."""
    lines = (text.split() for text in Path("/proc/meminfo").read_text().splitlines())
    available = next(int(words[1]) << 10 for words in lines if words[0] == "MemAvailable:")
    limit, used = (_CGROUP / name for name in ("memory.max", "memory.current"))
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        return min(available, int(limit.read_text()) - int(used.read_text()))
    return available
