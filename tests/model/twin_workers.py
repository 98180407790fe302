"""A replica and its workers on a `Machine`: the engine's own scheduling, over a log of rows that say who owns them.

What the replica does is written down here once more, small: publish, collect, sleep until rung.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from interleaving import Machine
from twin import Fault, Twin

from psmr.execution import layout as at
from psmr.state.atomics import LINE_BYTES

MODULES = {f"psmr.execution.{name}" for name in ("layout", "ring", "row_index", "waiting", "schedule")}
MODULES |= {"psmr.execution.digest_slots", "psmr.execution.stage_index", "psmr.execution.stages"}
SLOTS = 4
FEW_SLOTS = Fault("few slots", "psmr.execution.layout", "SLOTS = 1024\n", f"SLOTS = {SLOTS}\n")
NO_FREE_ROUNDS = Fault("no free rounds", "psmr.execution.stages", "ROUNDS_FREE = 2\n", "ROUNDS_FREE = 0\n")
STRIDE = 8
BLOB_MOST = 120
RING_BYTES, RING_SOFT_BYTES = 2048, 512
BELL = "bell"
_MIB = 1 << 20
_SLOTS_AT, _FRAMES_AT, _STARTS_AT, _REPLIES_AT, _OWNERS_AT, STATE_AT = (n * _MIB for n in (1, 2, 20, 40, 60, 80))


@dataclass(frozen=True)
class Batch:
    """Rows by their owners, a bit each; which fail; and whether one worker executes all of it."""

    owners: tuple[int, ...]
    failing: frozenset[int]
    alone: bool


def random_log(chance: random.Random, workers: int) -> list[Batch]:
    """Some batches, more than there are slots."""
    share, alone = chance.choice((0.1, 0.5, 1.0)), chance.choice((0.0, 0.5, 0.9, 1.0))
    return [_random_batch(chance, workers, share, chance.random() < alone) for _ in range(9)]


def _random_batch(chance: random.Random, workers: int, share: float, alone: bool) -> Batch:
    rows = chance.randint(1, 5)
    counts = (chance.randint(2, workers) if chance.random() < share else 1 for _ in range(rows))
    owners = tuple(sum(1 << owner for owner in chance.sample(range(workers), few)) for few in counts)
    return Batch(owners, frozenset(row for row in range(rows) if chance.random() < 0.1), alone)


class TwinWorkers:
    """`run()` raises AssertionError when anything is not as it would be in log order, or nobody can go on."""

    def __init__(self, seed: int, *faults: Fault) -> None:
        self.machine = Machine(seed)
        chance = random.Random(seed)
        self.workers = chance.randint(2, 4)
        self._log: Sequence[Any] = self._draw_log(chance)
        self._expected = self._expect()
        twin = Twin(MODULES, self._primitives(), (FEW_SLOTS, NO_FREE_ROUNDS, *faults))
        self._stages = twin.module("psmr.execution.stages")
        self._stage_index = twin.module("psmr.execution.stage_index")
        self._schedule = twin.module("psmr.execution.schedule")
        self._waiting = twin.module("psmr.execution.waiting")
        self._row_index = twin.module("psmr.execution.row_index")
        self._executed: dict[tuple[int, int], int] = {}
        self._last = [(-1, -1)] * self.workers
        self._busy = [False] * self.workers
        self._pieces: list[dict[int, tuple[int, int]]] = [{} for _ in range(self.workers)]
        self._rings = 0
        self._collected = self._published = self._together = self._announced = 0
        self._lay_frames(chance.choice((0, 1, 3, 24)), chance.choice((0, 1)))

    def run(self) -> None:
        workers = [lambda worker=worker: self._work(worker) for worker in range(self.workers)]
        self.machine.run(self._replicate, *workers)
        assert len(self._executed) == sum(len(batch.owners) for batch in self._log)

    def _draw_log(self, chance: random.Random) -> Sequence[Any]:
        """Batches, more than there are slots."""
        return random_log(chance, self.workers)

    def _expect(self) -> list[list[int]]:
        """The replies of one who executes all rows in order."""
        return _sequential(self._log)

    def _lay_frames(self, look_ahead: int, spin: int) -> None:
        for worker in range(self.workers):
            words = {
                at.FRAME_SLOTS: _SLOTS_AT,
                at.FRAME_WORKER: worker,
                at.FRAME_WORKERS: self.workers,
                at.FRAME_SPIN: spin,
                at.FRAME_LOOK_AHEAD: look_ahead,
                at.FRAME_REPLY_RING: _REPLIES_AT + worker * _MIB,
                at.FRAME_REPLY_RING_BYTES: RING_BYTES,
                at.FRAME_REPLY_SOFT_BYTES: RING_SOFT_BYTES,
                at.FRAME_REPLY_STARTS: _STARTS_AT + worker * _MIB,
                at.FRAME_REPLY_STRIDE: STRIDE,
            }
            self.machine.memory.update({frame_of(worker) + offset: value for offset, value in words.items()})

    def _primitives(self) -> dict[str, dict[str, Any]]:
        machine, clock = self.machine, count()
        atomics = {name: getattr(machine, name) for name in ("load_acquire", "store_release", "fence", "add_atomic")}
        atomics |= {"sleep_while": machine.sleep_while, "wake": machine.wake, "relax": machine.pause}
        atomics |= {"ring_bell": self._ring, "monotonic_ns": lambda place: next(clock), "LINE_BYTES": LINE_BYTES}
        words = {
            "load_i64": machine.load,
            "store_i64": machine.store,
            "store_u64": machine.store,
            "store_u8": machine.store,
            "load_u16": machine.load,
            "load_u8": machine.load,
        }
        words |= {"clear_bytes": self._clear, "lowest_bit": lambda word: (word & -word).bit_length() - 1}
        return {"psmr.state.atomics": atomics, "psmr.state.words": words}

    def _clear(self, address: int, size_bytes: int) -> None:
        for word in range(address, address + size_bytes, 8):
            self.machine.store(word, 0)

    # A worker.

    def _work(self, worker: int) -> None:
        schedule, frame, load = self._schedule, frame_of(worker), self.machine.load
        while schedule.begin(frame):
            self._open_piece(worker)
            row = load(frame + at.FRAME_ROW)
            if load(frame + at.FRAME_OWNERS) != 0:
                row = schedule.seek(frame, row)
            while 0 <= row < load(frame + at.FRAME_COUNT):
                self._execute(worker, load(frame + at.FRAME_SLOT), row)
                assert schedule.begin(frame), "the open slot is the one to go on with"
                row = schedule.seek(frame, row + 1)
            if row == schedule.ENDING:
                return
            self._close_piece(worker)
            schedule.finish(frame)

    def _execute(self, worker: int, slot: int, row: int) -> None:
        assert (slot, row) not in self._executed, f"row {row} of slot {slot} is executed again"
        self._executed[slot, row] = worker
        owners = _bits(self._log[slot].owners[row])
        for owner in owners:
            assert not self._busy[owner], f"row {row} of slot {slot} beside another of worker {owner}"
            assert self._last[owner] < (slot, row), f"row {row} of slot {slot} after {self._last[owner]}"
            self._busy[owner], self._last[owner] = True, (slot, row)
        self.machine.pause()
        value = 0
        for owner in owners:
            chain = self.machine.load(STATE_AT + LINE_BYTES * owner) * 3 + row + 1
            self.machine.store(STATE_AT + LINE_BYTES * owner, chain)
            value ^= chain
            self.machine.pause()
        self._reply(frame_of(worker), row, -1 if row in self._log[slot].failing else value)
        for owner in owners:
            self._busy[owner] = False

    def _reply(self, frame: int, row: int, value: int) -> None:
        load, store = self.machine.load, self.machine.store
        number, rows = load(frame + at.FRAME_REPLY_COUNT), load(frame + at.FRAME_REPLY_ROWS)
        if rows != 0:
            store(rows + 4 * number, row)
        store(load(frame + at.FRAME_REPLY_RECORDS) + STRIDE * number, value)
        blob = self.machine.chance.choice((0, BLOB_MOST, BLOB_MOST, BLOB_MOST))
        store(frame + at.FRAME_REPLY_BLOB_USED, load(frame + at.FRAME_REPLY_BLOB_USED) + blob)
        store(frame + at.FRAME_REPLY_COUNT, number + 1)

    def _open_piece(self, worker: int) -> None:
        """The room for a slot's replies overlaps no room whose replies are still to be collected."""
        frame, load = frame_of(worker), self.machine.load
        slot = load(frame + at.FRAME_SLOT)
        start = load(_STARTS_AT + worker * _MIB + 8 * (slot % SLOTS))
        end = start + _reply_bytes(len(self._log[slot].owners))
        assert 0 <= start < end <= RING_BYTES, f"replies at {start} to {end}"
        for other, (first, last) in self._pieces[worker].items():
            assert end <= first or last <= start, f"slot {slot}: replies at {start} to {end} over those of slot {other}"
        self._pieces[worker][slot] = (start, end)

    def _close_piece(self, worker: int) -> None:
        frame, load = frame_of(worker), self.machine.load
        slot = load(frame + at.FRAME_SLOT)
        end = load(frame + at.FRAME_REPLY_BLOB) + load(frame + at.FRAME_REPLY_BLOB_USED)
        start, _ = self._pieces[worker][slot]
        self._pieces[worker][slot] = (start, end - _REPLIES_AT - worker * _MIB)

    # The replica.

    def _replicate(self) -> None:
        while self._collected < len(self._log):
            ready = self._publish()
            if not self._collect() and not ready:
                self._sleep()
        self.machine.store_release(at.STOPPING, 1)
        self._rouse(range(self.workers))

    def _publish(self) -> bool:
        """Publish a few batches, while there are slots; whether there were."""
        few = self.machine.chance.randint(1, 3)
        prepared = self._published
        while prepared < len(self._log) and prepared < self._published + few and self._has_slot(prepared):
            self._write_slot(prepared)
            prepared += 1
        if prepared == self._published:
            return False
        self._published = prepared
        self.machine.store_release(at.PUBLISHED, prepared)
        everybody = self._together > self._announced or prepared - self._slowest() > SLOTS // 2
        self._announced = prepared
        self._rouse(range(self.workers) if everybody else (0,))
        return True

    def _has_slot(self, slot: int) -> bool:
        return slot - min(self._collected, self._slowest()) < SLOTS

    def _write_slot(self, slot: int) -> None:
        batch, place = self._log[slot], _SLOTS_AT + at.SLOT_BYTES * (slot % SLOTS)
        owners = _OWNERS_AT + 4096 * (slot % SLOTS)
        words = {
            at.SLOT_COUNT: len(batch.owners),
            at.SLOT_OWNERS: 0 if batch.alone else owners,
            at.SLOT_REPLY_BYTES: _reply_bytes(len(batch.owners)),
            at.SLOT_EXECUTOR: 0 if batch.alone else at.TOGETHER,
            at.SLOT_AFTER: self._together,
        }
        for offset, value in words.items():
            self.machine.store(place + offset, value)
        self._write_owners(owners, batch)
        if not batch.alone:
            self._together = slot + 1

    def _write_owners(self, owners: int, batch: Any) -> None:
        for row, mask in enumerate(batch.owners):
            self.machine.store(owners + 2 * row, mask)
        self._row_index.index_rows(owners, len(batch.owners), self.workers)

    def _collect(self) -> bool:
        done = self._completed()
        if done == self._collected:
            return False
        while self._collected < done:
            self._check_replies(self._collected)
            self._collected += 1
        self.machine.store_release(at.COLLECTED, done)
        self._rouse(range(self.workers))
        return True

    def _check_replies(self, slot: int) -> None:
        batch, load = self._log[slot], self.machine.load
        found: dict[int, int] = {}
        for worker in (0,) if batch.alone else range(self.workers):
            start, _ = self._pieces[worker].pop(slot)
            header = _REPLIES_AT + worker * _MIB + start
            records, rows = load(header + at.REPLIES_RECORDS), load(header + at.REPLIES_ROWS)
            for number in range(load(header + at.REPLIES_COUNT)):
                row = load(rows + 4 * number) if rows != 0 else number
                assert row not in found, f"two replies to row {row} of slot {slot}"
                found[row] = load(records + STRIDE * number)
        assert found == dict(enumerate(self._expected[slot])), f"slot {slot}"

    def _sleep(self) -> None:
        """As `Engine.want_bell`, and what follows it."""
        self.machine.store_release(at.BELL_WANTED, 1)
        self.machine.fence()
        lacks = self._published < len(self._log)
        if self._completed() != self._collected or (lacks and self._has_slot(self._published)):
            self.machine.store_release(at.BELL_WANTED, 0)
            return
        if self._rings == 0:
            self.machine.sleep(BELL)
        self._rings = 0

    def _ring(self, descriptor: int, one: int) -> None:
        self._rings += 1
        self.machine.wake(BELL)

    def _rouse(self, workers: Sequence[int] | range) -> None:
        for worker in workers:
            self._waiting.rouse(0, worker)

    def _completed(self) -> int:
        by_executor = self.machine.load_acquire(at.worker_line(0, 0) + at.COMPLETED)
        slot = max(self._collected, self._slowest())
        while slot < by_executor and self._log[slot].alone:
            slot += 1
        return slot

    def _slowest(self) -> int:
        lines = (at.worker_line(0, worker) for worker in range(self.workers))
        return min(self.machine.load_acquire(line + at.COMPLETED) for line in lines)


def _sequential(log: Sequence[Batch]) -> list[list[int]]:
    """The replies to each batch when one executes all rows in order."""
    chains: dict[int, int] = {}
    replies: list[list[int]] = []
    for batch in log:
        replies.append([])
        for row, mask in enumerate(batch.owners):
            value = 0
            for owner in _bits(mask):
                chains[owner] = chains.get(owner, 0) * 3 + row + 1
                value ^= chains[owner]
            replies[-1].append(-1 if row in batch.failing else value)
    return replies


def _reply_bytes(rows: int) -> int:
    return at.REPLIES_HEADER_BYTES + rows * (4 + STRIDE + BLOB_MOST) + 8


def frame_of(worker: int) -> int:
    """Where a worker's frame begins."""
    return _FRAMES_AT + worker * _MIB


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
