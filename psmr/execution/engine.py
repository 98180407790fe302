"""The replica's side of execution: publish batches in log order, collect their replies.

    offer(batch) ──► delivery ring, admitted and routed ──► workers ──► reply rings ──► collect()

`offer` and `collect` are called by one process, the one that made the engine; the workers are its children.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from cdep import StateMachine, service_of
from cdep.schedule_model import rows_ahead
from cdep.service import COMMUTATIVE
from proxies.layout import layout_of
from psmr.core.batch import MalformedBatch
from psmr.core.event_format import rows_max
from psmr.core.width import Width
from psmr.execution import capture as captures
from psmr.execution import emitted, replies, staged
from psmr.execution import layout as at
from psmr.execution.capture import Capture, Captures
from psmr.execution.digesting import RowDigests
from psmr.execution.dispatch import end_command_slowly
from psmr.execution.folding import keep_digest_slowly
from psmr.execution.generated import compiling, server_module
from psmr.execution.interpreted import InterpretedMachine
from psmr.execution.memory import NOTES_BYTES, Memory
from psmr.execution.outcome import Counters, Executed, Slot
from psmr.execution.patience import PATIENCE, Patience, Pressure
from psmr.execution.progress import EXECUTOR, completed, slowest
from psmr.execution.refusals import refusing_what_does_not_compile
from psmr.execution.restoring import FieldContent, restore
from psmr.execution.results import Results
from psmr.execution.ring import Ring
from psmr.execution.row_index import index_bytes, index_rows
from psmr.execution.stage_index import index_stages, stage_index_bytes
from psmr.execution.staged import StagedMachine
from psmr.execution.stages import ROUND_ROWS
from psmr.execution.waiting import rouse, rouse_for_room
from psmr.execution.worker import work
from psmr.state.synchronised import fence_now, load, store

RING_BYTES = 64 << 20
RING_SOFT_BYTES = 4 << 20
_LOOK_S = 0.0005


class Engine:
    """k workers over one state. `start` forks them; nothing may have started a thread or opened a socket before.

    `choose(synchronous, count)` says how many workers a batch is worth, all or 1; by default what has been measured does.
    From a meeting workers go on to the next within `look_ahead` rows, or fewer where commands turn out to be long (`rows_ahead`).
    A worker that waits looks `spin` times before it sleeps; for another worker up to `patience` times, while the machine is calm.
    `digests`: whether what commands do is digested. `notes_bytes` is how much each worker may note during a capture before it
    waits for the end of that.
    """

    def __init__(
        self,
        owner: type[StateMachine],
        workers: int,
        *,
        compiled: bool = True,
        ring_bytes: int = RING_BYTES,
        spin: int = 2000,
        patience: int = PATIENCE,
        look_ahead: int = 8,
        choose: Callable[[int, int], int] | None = None,
        notes_bytes: int = NOTES_BYTES,
        digests: bool = True,
    ) -> None:
        if not 1 <= workers <= at.WORKERS_MAX:
            raise ValueError(f"workers: expected 1 to {at.WORKERS_MAX}, found {workers}")
        self.service = service_of(owner)
        self._module = server_module(owner)
        self.layout = layout_of(self.service)
        self.memory = Memory(owner, self.layout, workers, ring_bytes, notes_bytes)
        self._captures = Captures(self.memory)
        self.workers = workers
        self._commutative = self.service.order == COMMUTATIVE
        self._is_staged = self.service.is_staged
        self._rows_max = rows_max(self.service)
        self._index_bytes = stage_index_bytes if self._is_staged else index_bytes
        self._index_rows = index_stages if self._is_staged else index_rows
        self._owner = owner
        self._compiled = compiled
        self._ring = Ring(ring_bytes, RING_SOFT_BYTES)
        self._slots: deque[Slot] = deque()
        self._published = 0
        self._collected = 0
        self._together = 0
        self._announced = 0
        self._synchronous = 0
        self._lacks_slots = False
        self._free_before = 0
        self._width = Width(workers)
        self._choose = choose or self._width.choose
        self._processes: list[BaseProcess] = []
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._pressure = Pressure()
        self._patience = Patience(spin, patience, self._pressure.waited_us)
        self.row_digests = RowDigests(self.memory) if digests else None
        self._results = Results(self.memory, self.layout.reply_stride, self._width, self.row_digests)
        self._look_ahead = self._ahead = look_ahead
        self._lay_constants(spin)

    def _lay_constants(self, spin: int) -> None:
        memory = self.memory
        memory.set(memory.control + at.BELL, self.bell)
        memory.set(memory.control + at.BELL + 8, 1)
        memory.set(memory.control + at.PATIENCE, self._patience.spins)
        for frame in memory.frames:
            memory.set(frame + at.FRAME_SPIN, spin)
            memory.set(frame + at.FRAME_LOOK_AHEAD, self._ahead)
            memory.set(frame + at.FRAME_ROUND_ROWS, ROUND_ROWS)
        owners = [1 << (group % self.workers) for group in range(64)] + [(1 << self.workers) - 1]
        memory.region.at(memory.table, 130)[:] = np.array(owners, "<u2").tobytes()
        self._table = memory.table if self.workers > 1 else 0

    def start(self) -> None:
        """Compile, then fork the workers."""
        run = self._warm_up()
        if self.row_digests is not None:
            self.row_digests.start()
        context = multiprocessing.get_context("fork")
        for worker in range(self.workers):
            kind = StagedMachine if self._is_staged else InterpretedMachine
            machine = kind(self._owner, self.layout, self.memory, worker)
            arguments = (os.getpid(), self.memory, worker, run, machine)
            process = context.Process(target=work, args=arguments, name=f"psmr-worker-{worker}", daemon=True)
            process.start()
            self._processes.append(process)

    def _warm_up(self) -> Any:
        """Have all compiled code in memory before the fork, so that the workers share it.

        Raises ConfigurationError for a handler that cannot be compiled.
        """
        memory, frame = self.memory, self.memory.frames[0]
        with compiling(self._module):
            self._module.admit(memory.ring, 8, 0, memory.ring, 0, self._table, memory.ring, memory.totals)
            if self._commutative:
                self._module.arrange(memory.ring, 8, 0, memory.ring, memory.ring)
            rouse(memory.control, 0)
            rouse_for_room(memory.control, 0)
            index_rows(memory.ring, 0, self.workers)
            if self._is_staged:
                staged.warm_up(memory)
            headers = np.zeros(0, np.int64)
            completed(memory.control, memory.slots, self.workers, 0)
            replies.blob_bytes(headers)
            replies.merge(headers, 0, 8, memory.ring, headers)
            captures.warm_up()
            if memory.has_events:
                emitted.warm_up(memory)
            end_command_slowly(frame)
            keep_digest_slowly(frame, memory.ring)
            store(memory.control + at.STOPPING, 1)
            if self._compiled:
                with refusing_what_does_not_compile(self._owner):
                    self._module.run(frame, memory.bases)
            store(memory.control + at.STOPPING, 0)
        return self._module.run if self._compiled else None

    @property
    def sentinels(self) -> list[int]:
        """Descriptors that become readable when a worker dies."""
        return [process.sentinel for process in self._processes]

    def dead(self) -> list[tuple[int, int | None]]:
        """Workers that have died, with their exit codes."""
        return [(number, p.exitcode) for number, p in enumerate(self._processes) if not p.is_alive()]

    def place_of(self, worker: int) -> str:
        """Where a worker stands, in words: for the report of its death."""
        frame = self.memory.frames[worker]
        behind = self.memory.get(frame + at.FRAME_SLOT) - self._collected
        if not self.memory.get(frame + at.FRAME_ACTIVE) or not 0 <= behind < len(self._slots):
            return "while it waited for work"
        slot = self._slots[behind]
        row = self.memory.get(frame + at.FRAME_ROW)
        return f"at row {row} of batch {slot.sequence} of session {slot.session}"

    @property
    def outstanding(self) -> int:
        """Batches published and not yet collected."""
        return self._published - self._collected

    @property
    def unpublished(self) -> int:
        """Batches prepared that no worker has been told of."""
        return self._published - self._announced

    def offer(
        self,
        session: int,
        sequence: int,
        stride: int,
        count: int,
        records: Any,
        blob: Any,
        now_us: int,
        *,
        is_read: bool = False,
    ) -> bool:
        """Publish a batch for execution; False while there is no room for it.

        As `prepare`, then `publish`.
        """
        if not self.prepare(session, sequence, stride, count, records, blob, now_us, is_read=is_read):
            return False
        self.publish()
        return True

    def prepare(
        self,
        session: int,
        sequence: int,
        stride: int,
        count: int,
        records: Any,
        blob: Any,
        now_us: int,
        *,
        is_read: bool = False,
    ) -> bool:
        """Put a batch in place, checked and routed, for the next `publish`; False while there is no room for it.

        `is_read`: the batch is no part of the log; its commands only read, and its reply says `READ`.
        Raises MalformedBatch for one that no replica may execute: alike on all, for it depends on the batch alone.
        """
        if stride > self.layout.stride:
            raise MalformedBatch(f"records of at most {self.layout.stride} bytes", f"{stride} bytes")
        if self._published - self._free_before >= at.SLOTS and not self._has_slot():
            # Those that only pass what another executes alone may sleep far behind: they hold the descriptors.
            self._lacks_slots = True
            self._rouse_all()
            return False
        self._lacks_slots = False
        if count > self._rows_max:
            raise MalformedBatch(f"at most {self._rows_max} commands of a service with events", f"{count}")
        records_bytes, blob_bytes = count * stride, len(blob)
        blob_place = records_bytes
        owners_place = (blob_place + blob_bytes + 7) & ~7
        place = self._ring.take(owners_place + self._index_bytes(count, self.workers))
        if place is None:
            return False
        start = self.memory.ring + place
        owners = start + owners_place
        view = self.memory.region.at(start, blob_place + blob_bytes)
        view[:records_bytes] = records
        if blob_bytes:
            view[blob_place:] = blob
        places = self._arrange(view, stride, count, blob_place, owners) if self._commutative else None
        self._admit(start, stride, count, start + blob_place, blob_bytes, owners)
        reply_blob_bytes, synchronous = self.memory.words(self.memory.totals, 2)
        reply_bytes = at.REPLIES_HEADER_BYTES + count * (4 + self.layout.reply_stride) + 8 + reply_blob_bytes
        if reply_bytes > at.REPLY_RING_BYTES // 2:
            raise self._too_long_replies(count, reply_bytes)
        self._synchronous += synchronous
        alone = self.workers > 1 and self._choose(synchronous, count) == 1
        if self._table and not alone:
            self._index_rows(owners, count, self.workers)
        self._write_slot(start, stride, start + blob_place, count, owners, now_us, reply_bytes, alone, is_read)
        self._slots.append(Slot(session, sequence, count, synchronous, alone, is_read, places))
        self._published += 1
        return True

    def _write_slot(
        self,
        records: int,
        stride: int,
        blob: int,
        count: int,
        owners: int,
        now_us: int,
        reply_bytes: int,
        alone: bool,
        is_read: bool,
    ) -> None:
        executor = EXECUTOR if alone else at.TOGETHER
        owners = 0 if alone or not self._table else owners
        self.memory.write_slot(
            self._published,
            records,
            blob,
            count,
            owners,
            now_us,
            reply_bytes,
            executor,
            self._together,
            stride,
            int(is_read),
        )
        if not alone:
            self._together = self._published + 1

    def publish(self) -> None:
        """Let the workers execute everything that is prepared; wake those that have a part in it, and those far behind."""
        if self._announced == self._published:
            return
        store(self.memory.control + at.PATIENCE, self._patience.look())
        store(self.memory.control + at.PUBLISHED, self._published)
        all_of_them = (
            self._together > self._announced
            or self._published - slowest(self.memory.control, self.workers) > at.SLOTS // 2
        )
        self._announced = self._published
        for worker in range(self.workers) if all_of_them else (EXECUTOR,):
            rouse(self.memory.control, worker)

    def _has_slot(self) -> bool:
        """Whether a descriptor is free: its batch's replies are collected, and no worker has it still to read."""
        self._free_before = min(self._collected, slowest(self.memory.control, self.workers))
        return self._published - self._free_before < at.SLOTS

    def _admit(
        self, records: int, stride: int, count: int, blob: int, blob_bytes: int, owners: int, *, routed: bool = True
    ) -> None:
        table = self._table if routed else 0
        bad = self._module.admit(records, stride, count, blob, blob_bytes, table, owners, self.memory.totals)
        if bad >= 0:
            self._ring.take_back()
            record = bytes(self.memory.region.at(records + bad * stride, stride))
            raise MalformedBatch(
                f"a command of {self.service.name} with its arguments in range", f"row {bad}: {record.hex()}"
            )

    def _arrange(self, view: memoryview, stride: int, count: int, blob_place: int, owners: int) -> Any:
        """Put the rows in the order of execution (`cdep.execution_order`); which row of the batch each then is."""
        start = owners - ((len(view) + 7) & ~7)
        # What is malformed must be found, and be called by its row, before anything is read that depends on its content.
        self._admit(start, stride, count, start + blob_place, len(view) - blob_place, owners, routed=False)
        places = np.empty(count, np.uint32)
        self._module.arrange(start, stride, count, start + blob_place, places.ctypes.data)
        rows = np.frombuffer(view[:blob_place], np.uint8).reshape(count, stride)
        rows[:] = rows[places]
        return places

    def _too_long_replies(self, count: int, reply_bytes: int) -> MalformedBatch:
        self._ring.take_back()
        return MalformedBatch(
            f"commands whose replies take at most {at.REPLY_RING_BYTES // 2} bytes; send fewer in one batch",
            f"{count} commands with up to {reply_bytes} bytes of replies",
        )

    def completed(self) -> int:
        """How many slots are completed, by all workers or by the one that executed them alone."""
        return completed(self.memory.control, self.memory.slots, self.workers, self._collected)

    def collect(self) -> list[Executed]:
        """The replies of batches completed since the last call, in log order."""
        if self._collected == self._published:
            return []
        done = self.completed()
        if done == self._collected:
            return []
        executed: list[Executed] = []
        while self._collected < done:
            slot = self._slots.popleft()
            executed.append(self._results.collect(slot, self._collected))
            self._ring.give_back()
            self._collected += 1
        self._look_as_far_as_pays()
        store(self.memory.control + at.COLLECTED, self._collected)
        if self._collected >= self._captures.unused_from:
            self._captures.give_back()
        if self._lacks_slots:
            self._rouse_all()
        else:
            for worker in range(self.workers):
                rouse_for_room(self.memory.control, worker)
        return executed

    def _look_as_far_as_pays(self) -> None:
        """Workers may see it at any row, each at another: whoever executes at a meeting says by itself where the others go on."""
        ahead = rows_ahead(self._results.command_ns, self._look_ahead)
        if ahead != self._ahead:
            self._ahead = ahead
            for frame in self.memory.frames:
                self.memory.set(frame + at.FRAME_LOOK_AHEAD, ahead)

    def _rouse_all(self) -> None:
        for worker in range(self.workers):
            rouse(self.memory.control, worker)

    def want_bell(self) -> bool:
        """Ask to be rung through `bell`; False if sleeping would be wrong: something is completed, or there is room again."""
        store(self.memory.control + at.BELL_WANTED, 1)
        fence_now()
        if self.completed() == self._collected and not (self._lacks_slots and self._has_slot()):
            return True
        store(self.memory.control + at.BELL_WANTED, 0)
        return False

    def silence_bell(self) -> None:
        """Take back a ring; harmless when there was none."""
        try:
            os.eventfd_read(self.bell)
        except BlockingIOError:
            return

    def settle(self, timeout_s: float, look_s: float = _LOOK_S) -> bool:
        """Sleep until everything published is completed; False when that takes longer, or a worker has died.

        `look_s`: from one look to the next. Who looks takes a processor away for as long as a worker does some hundred commands.
        """
        deadline = time.monotonic() + timeout_s
        while self.completed() < self._published:
            dead, _, _ = select.select(self.sentinels, [], [], look_s)
            if dead or time.monotonic() > deadline:
                return False
        return True

    def counters(self) -> Counters:
        """What each worker has executed so far."""
        lines = [at.worker_line(self.memory.control, worker) for worker in range(self.workers)]
        return Counters(
            tuple(load(line + at.EXECUTED) for line in lines),
            tuple(load(line + at.SYNCHRONOUS) for line in lines),
            tuple(load(line + at.RUN_ON) for line in lines),
            self._synchronous,
            self._width.choices,
            tuple(load(line + at.ROUNDS) for line in lines),
            tuple(load(line + at.WAITED) for line in lines),
        )

    def digest(self) -> int:
        """64 bits equal for equal state; call only when nothing is outstanding."""
        if self.completed() != self._published:
            raise ValueError(
                f"digest: expected an idle engine, found {self._published - self.completed()} batches executing"
            )
        return self.memory.digest()

    def capture(self) -> Capture:
        """The state as it is now, to be written by another thread while the engine goes on; cheap.

        Until `end_capture` workers keep what they overwrite, and wait for that end when they have no more room for it: it must not
        depend on the completion of any batch. Raises ValueError when anything is outstanding or a capture is under way.
        """
        if self.completed() != self._published:
            raise ValueError(
                f"capture: expected an idle engine, found {self._published - self.completed()} batches executing"
            )
        if self._captures.is_open:
            raise ValueError("capture: expected no other capture under way; call end_capture first")
        return self._captures.begin()

    def end_capture(self) -> None:
        """The capture is written, or given up: nobody needs what workers overwrite. Raises ValueError when there is none."""
        if not self._captures.is_open:
            raise ValueError("end_capture: expected a capture under way, found none")
        self._captures.end(self._published)
        if self._collected == self._published:
            self._captures.give_back()

    def restore(self, body: memoryview, digest: int, fields: Sequence[FieldContent] | None = None) -> None:
        """Fill the empty state with a body that a capture has written; before `start`.

        `fields`: what the capture said is whose, for a body of an earlier version of this service; by default it is this one's.
        Raises LogDamaged when the body does not fit, or has another digest, ConfigurationError when a field of that name is
        another one now, and ValueError when workers run.
        """
        if self._processes:
            raise ValueError("restore: expected an engine that was not started, found its workers running")
        restore(self.memory, body, digest, fields)

    def close(self) -> None:
        """End the workers and wait for them."""
        store(self.memory.control + at.STOPPING, 1)
        self._rouse_all()
        for process in self._processes:
            process.join(timeout=2)
            if process.is_alive():
                process.kill()
                process.join()
        if self.bell >= 0:
            os.close(self.bell)
            self.bell = -1
        self._pressure.close()
