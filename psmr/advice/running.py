"""Prepared batches executed by an engine, and how long that took, in all and by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from cdep import StateMachine
from psmr.advice.batches import Commands
from psmr.errors import Violation
from psmr.execution import layout as at
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed

SLOTS_AT_ONCE = 1000
"""Batches prepared before the clock runs: fewer than the engine has slots."""
WINDOW = 64
"""As many as four clients have under way by default: so many at once, and an engine chooses its width as a replica's does."""
RING_BYTES = 256 << 20
_STALL_S = 120.0
_COLLECT_S = 0.1
_LOOK_S = 0.003
"""Several workers that meet all wait for one whose processor this process takes: it looks seldom."""


@dataclass(slots=True)
class Ran:
    """`seconds` in which there was something to execute; `busy_ns`: by batch, a worker each.

    `took_ns`: by batch, until its end, from the end of the one before or, where that was not published together with it, from its
    own beginning; their sum is `seconds`. `is_first`: whether it was the first of those published together.
    """

    seconds: float
    busy_ns: list[list[int]]
    took_ns: list[int] = field(default_factory=list)
    is_first: list[bool] = field(default_factory=list)

    def rate_per_s(self, batches: Sequence[Commands]) -> float:
        """Commands a second while batch follows batch: in the first of those published together workers wake up, one by one.

        Raises ValueError where every batch was a first.
        """
        following = list(zip(batches, self.took_ns, self.is_first, strict=True))
        count = sum(batch.count for batch, _, is_first in following if not is_first)
        if not count:
            raise ValueError("rate: expected several batches at once, found none that follows another")
        return count * 1e9 / max(1, sum(took_ns for _, took_ns, is_first in following if not is_first))


class Runner:
    """An engine that executes prepared batches, several at once or one after another; it sleeps in between.

    `at_once`: batches that are prepared and published together. Between one such window and the next their replies are collected,
    and `Width` is told what they took, with the clock standing still: this process wants a processor for that, and what is measured
    is what workers do with theirs.
    """

    def __init__(
        self, owner: type[StateMachine], workers: int, *, at_once: int = SLOTS_AT_ONCE, **options: Any
    ) -> None:
        self.engine = Engine(owner, workers, ring_bytes=RING_BYTES, **options)
        self._at_once = at_once
        self._slots = 0
        self._times_of_slots: list[list[tuple[int, int]]] = []

    def start(self) -> None:
        """Fork the workers."""
        self.engine.start()

    @property
    def next_slot(self) -> int:
        """The number of the slot that the next batch gets."""
        return self._slots

    def run(self, batches: Sequence[Commands], take: Callable[[Executed], object] = lambda executed: None) -> Ran:
        """Execute batches, as many at once as there is room for; `take` gets each reply, in order."""
        total = Ran(0.0, [])
        for part in parts_of(batches, self._at_once):
            self.prepare(part)
            self._times_of_slots.clear()
            self.engine.publish()
            total.busy_ns += self.wait(take)
            total.busy_ns += self.collect(take)
            total.took_ns += _took_ns(self._times_of_slots)
            total.is_first += [place == 0 for place in range(len(part))]
        total.seconds = sum(total.took_ns) / 1e9
        return total

    def prepare(self, batches: Sequence[Commands]) -> None:
        """Put batches in place for the next `publish`."""
        until = time.perf_counter() + _STALL_S
        for batch in batches:
            while not self.engine.prepare(1, 1, batch.stride, batch.count, batch.records, batch.blob, batch.now_us):
                # A worker that has only passed others' batches may need a moment to give their places back.
                if time.perf_counter() > until:
                    raise Violation("expected the batches to fit the delivery ring, found no room for them")
                time.sleep(0.001)

    def wait(self, take: Callable[[Executed], object] = lambda executed: None) -> list[list[int]]:
        """Sleep until everything published is executed; raises Violation when workers die or stall.

        Replies are collected meanwhile only where workers have no room for more: what `collect` would give of those.
        """
        until = time.perf_counter() + _STALL_S
        busy: list[list[int]] = []
        completed = -1
        while not self.engine.settle(_COLLECT_S, _LOOK_S):
            if self.engine.dead() or time.perf_counter() > until:
                raise Violation(f"expected the workers to finish, found {self.engine.dead() or 'them stalled'}")
            if completed == self.engine.completed():
                busy += self.collect(take)
            completed = self.engine.completed()
        return busy

    def collect(self, take: Callable[[Executed], object]) -> list[list[int]]:
        """Take the replies; what each batch kept each worker busy for."""
        times = [self._times_ns(slot) for slot in range(self._slots, self.engine.completed())]
        busy = [[busy_ns for busy_ns, _ in workers] for workers in times]
        self._times_of_slots += times
        self._slots += len(busy)
        for executed in self.engine.collect():
            take(executed)
        return busy

    def _times_ns(self, slot: int) -> list[tuple[int, int]]:
        """Of each worker in a slot that is completed and not collected: busy for, and until; (0, 0) of those that only pass it."""
        memory = self.engine.memory
        executor = memory.get(memory.slots + slot % at.SLOTS * at.SLOT_BYTES + at.SLOT_EXECUTOR)
        found: list[tuple[int, int]] = []
        for worker, (ring, starts) in enumerate(zip(memory.reply_rings, memory.reply_starts, strict=True)):
            header = ring + memory.get(starts + 8 * (slot % at.SLOTS))
            times = (memory.get(header + at.REPLIES_BUSY_NS), memory.get(header + at.REPLIES_ENDED_NS))
            found.append(times if executor in (at.TOGETHER, worker) else (0, 0))
        return found

    def close(self) -> None:
        """End the workers."""
        self.engine.close()


def _took_ns(times: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
    """Of batches published together, by the workers' own clocks: the process that publishes looks up only now and then."""
    if not times:
        return []
    began_ns = min(ended_ns - busy_ns for busy_ns, ended_ns in times[0] if ended_ns)
    ended_ns = accumulate((max(ended_ns for _, ended_ns in workers) for workers in times), max)
    return [end - begin for begin, end in pairwise([began_ns, *ended_ns])]


def parts_of(batches: Sequence[Commands], at_once: int = SLOTS_AT_ONCE) -> Iterator[list[Commands]]:
    """Batches in groups of at most so many, which fit the engine's slots and, with room to spare, its rings."""
    part: list[Commands] = []
    size = 0
    for batch in batches:
        size_bytes = len(batch.records) + len(batch.blob) + 16 * batch.count
        if part and (len(part) == at_once or size + size_bytes > RING_BYTES // 4):
            yield part
            part, size = [], 0
        part.append(batch)
        size += size_bytes
    if part:
        yield part
