"""How far the workers are: what the replica asks of the control block, in one call."""

from __future__ import annotations

from cdep.compiled import compiled
from psmr.execution.layout import COMPLETED, SLOT_BYTES, SLOT_EXECUTOR, SLOTS, TOGETHER
from psmr.execution.waiting import line_of
from psmr.state.atomics import load_acquire
from psmr.state.words import load_i64

EXECUTOR = 0
"""The worker that executes what is not worth meeting for."""


@compiled
def slowest(control: int, workers: int) -> int:
    """The slot before which no worker has anything left to read."""
    least = load_acquire(line_of(control, 0) + COMPLETED)
    for worker in range(1, workers):
        least = min(least, load_acquire(line_of(control, worker) + COMPLETED))
    return least


@compiled
def completed(control: int, slots: int, workers: int, collected: int) -> int:
    """How many slots are completed, by all workers or by the one that executed them alone; at least `collected`."""
    by_executor = load_acquire(line_of(control, EXECUTOR) + COMPLETED)
    done = max(collected, slowest(control, workers))
    while done < by_executor and load_i64(slots + (done % SLOTS) * SLOT_BYTES + SLOT_EXECUTOR) != TOGETHER:
        done += 1
    return done
