"""A simulated disk below the production log: it forgets, tears and garbles what was not synced, stalls and fails.

What a crash leaves is read back by the production scan (`psmr.storage.scan`), which alone decides what is valid. Snapshots and
events are files of their own (`psmr.simulation.cluster.files`); a snapshot replaces a log that does not reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from msgspec import Struct

from psmr.core.control import is_control
from psmr.errors import DiskFailed, LogDamaged, Violation
from psmr.simulation.conditions import Delay
from psmr.simulation.scheduler import Scheduler
from psmr.storage.record import Record, decode_unchecked
from psmr.storage.scan import scan_segment
from psmr.storage.segment import HEADER_BYTES, Segment

_TEAR_RATE = 0.7
_FLIP_RATE = 0.3


class _Forget(Struct, frozen=True):
    """Records below `first_index` are to go."""

    first_index: int


class SimulatedStore:
    """One replica's log and hard state: `LogStore` and `HardState` to the code above it.

    `durable` is what a crash leaves at the least; `base`, index and term of a snapshot that the disk holds.

    With `is_one_segment` the log forgets nothing, as in segments that are never full.

    A sync takes a while, covers what was written when it began, and is told of by `notify`. `spend` is called before every
    write and may raise, when the power goes. Writes behind a sync are lost at a crash, except for a beginning of random
    length, behind which a record may be torn or have a bit flipped.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        random: Random,
        sync: Delay,
        notify: Callable[[], None],
        spend: Callable[[], None],
        *,
        is_one_segment: bool = False,
    ) -> None:
        self._scheduler = scheduler
        self._spend = spend
        self._random = random
        self._notify = notify
        self.sync_delay = sync
        self.first_index = self.durable_first = 1
        self.records: list[Record] = []
        self.durable: list[Record] = []
        self.base = (0, 0)
        self.hard_state: tuple[int, int | None] = (0, None)
        self.control_indexes: list[int] = []
        self.committed = self.committed_index = 0
        self.torn = 0
        self.is_full = False
        self.fails_next = False
        self._pending: list[Record | int | _Forget] = []
        self._reports: list[tuple[int, int]] = []
        self._is_one_segment = is_one_segment
        self._epoch = 0
        self._life = 0
        self._is_syncing = False

    @property
    def last_index(self) -> int:
        """The index of the last record written."""
        return self.first_index + len(self.records) - 1

    @property
    def size_bytes(self) -> int:
        """Of the log's records."""
        return sum(len(record.raw) for record in self.records)

    def record(self, index: int) -> Record | None:
        """The record at an index, if the log has it."""
        return self.records[index - self.first_index] if self.first_index <= index <= self.last_index else None

    def keeps(self, index: int, raw: bytes) -> bool:
        """Whether a crash would leave this entry, or a snapshot of what it did."""
        place = index - self.durable_first
        on_disk = 0 <= place < len(self.durable) and self.durable[place].raw == raw
        return on_disk or index <= self.base[0]

    def open(self, index: int, term: int) -> None:
        """Begin with what the disk holds, behind a snapshot at `index`. Raises LogDamaged where what lies between is missing.

        A log that does not agree with the snapshot, or does not reach it, goes: nothing of it was committed, or all is in it.
        """
        if self.durable_first > index + 1:
            raise LogDamaged(f"expected a log from index {index + 1} on, found one from {self.durable_first} on")
        place = index - self.durable_first
        agrees = 0 <= place < len(self.durable) and self.durable[place].term == term
        if index and not (agrees or self.durable_first == index + 1):
            self.durable, self.durable_first, self.control_indexes = [], index + 1, []
        self.records = list(self.durable)
        self.first_index = self.durable_first
        self.base = index, term

    def compact(self, index: int) -> int:
        """Forget records up to `index`, all or all but a few; the first index left. A snapshot holds what they did."""
        self._spend()
        last = self.record(index)
        if last is not None and index > self.base[0]:
            self.base = index, last.term
        if self._is_one_segment:
            return self.first_index
        first_index = max(self.first_index, min(index, self.last_index) + 1 - int(self._random.random() * 4))
        del self.records[: first_index - self.first_index]
        self.first_index = first_index
        self.control_indexes = [each for each in self.control_indexes if each >= first_index]
        self._pending.append(_Forget(first_index))
        self._begin_sync()
        return first_index

    @property
    def last_term(self) -> int:
        """The term of the last record, or of the snapshot."""
        return self.records[-1].term if self.records else self.base[1]

    def load(self, last_term: int = 0) -> tuple[int, int | None]:
        """Term and vote as saved. Nobody restores a log here, so a term behind it was not saved in time: Violation."""
        if self.hard_state[0] < last_term:
            raise Violation(f"store: expected a saved term of at least {last_term}, found {self.hard_state[0]}")
        return self.hard_state

    def save(self, term: int, voted_for: int | None) -> None:
        """Save term and vote: durable when this returns."""
        self._spend()
        self.hard_state = (term, voted_for)

    def term_runs(self) -> list[tuple[int, int]]:
        """(first index, term) of every run of one term."""
        runs: list[tuple[int, int]] = []
        for record in self.records:
            if not runs or runs[-1][1] != record.term:
                runs.append((record.index, record.term))
        return runs

    def append(self, records: Sequence[Record]) -> None:
        """Write behind the last; synced some time later."""
        self._spend()
        self._need_room()
        index = self.last_index
        for record in records:
            index += 1
            if record.index != index:
                raise Violation(f"store: expected record {index}, found {record.index}")
            self.records.append(record)
            self._pending.append(record)
            if is_control(record.payload):
                self.control_indexes.append(record.index)
        self._begin_sync()

    def truncate(self, from_index: int) -> None:
        """Drop the records from `from_index` on."""
        self._spend()
        if from_index <= self.committed:
            raise Violation(f"store: expected a cut above {self.committed}, which is committed; found {from_index}")
        del self.records[from_index - self.first_index :]
        self.control_indexes = [each for each in self.control_indexes if each < from_index]
        self._pending.append(from_index)
        self._epoch += 1
        self._reports.clear()
        self._begin_sync()

    def read(self, first: int, max_bytes: int) -> list[Record]:
        """Records from `first` on, at least one, about `max_bytes` together."""
        found: list[Record] = []
        if first < self.first_index:
            raise Violation(f"store: expected a read from {self.first_index} on, found {first}")
        for record in islice(self.records, first - self.first_index, None):
            if found and max_bytes < len(record.raw):
                break
            max_bytes -= len(record.raw)
            found.append(record)
        return found

    def fileno(self) -> int:
        """No descriptor: whoever drives the log looks every time."""
        return -1

    @property
    def has_synced(self) -> bool:
        """Whether `take_synced` has something to say."""
        return bool(self._reports) or self.fails_next

    def take_synced(self) -> tuple[int, int] | None:
        """(index, term) up to which the log is synced. Raises DiskFailed where the sync failed."""
        if self.fails_next:
            self.fails_next = False
            raise DiskFailed("the simulated disk failed: expected the sync to succeed")
        report = self._reports[-1] if self._reports else None
        self._reports.clear()
        return report

    def mark_committed(self, index: int) -> None:
        """Remember that everything up to `index` is committed."""
        self.committed = max(self.committed, index)

    def close(self) -> None:
        """Nothing to let go of."""

    def crash(self) -> None:
        """Lose what was not synced, all but a beginning of random length, and read back what is left."""
        # The mark is written when it is convenient: at every other crash it is not there.
        self.committed_index = self._newest_mark() if self._life % 2 else 0
        random = self._random
        kept = int(random.random() * (len(self._pending) + 1))
        self._settle(kept)
        behind = self._pending[0] if self._pending else None
        log = bytearray(b"".join(bytes(record.raw) for record in self.durable))
        if isinstance(behind, Record):
            log += self._damaged(bytes(behind.raw))
        self._pending.clear()
        self._reports.clear()
        self._is_syncing = self.fails_next = False
        self._life += 1
        self.committed = 0
        self.durable, self.control_indexes = self._recovered(log)
        self.records = list(self.durable)
        self.first_index = self.durable_first

    def _newest_mark(self) -> int:
        """The last index that is known to be committed and was synced here."""
        index = min(self.committed, self.last_index)
        while (record := self.record(index)) is not None and not self.keeps(index, bytes(record.raw)):
            index -= 1
        return index

    def _damaged(self, raw: bytes) -> bytes:
        """What a write that a crash interrupted may leave: a piece of it, one bit of it wrong, or nothing."""
        random = self._random
        if random.random() < _FLIP_RATE:
            flipped = bytearray(raw)
            flipped[int(random.random() * len(raw))] ^= 1 << int(random.random() * 8)
            self.torn += 1
            return bytes(flipped)
        if random.random() < _TEAR_RATE:
            size_bytes = int(random.random() * len(raw))
            self.torn += size_bytes > 0
            return raw[:size_bytes] + bytes(len(raw) - size_bytes)
        return b""

    def is_damage_found(self) -> bool | None:
        """Whether the scan at a start would find one wrong bit in what was synced; None when there is nothing there."""
        log = bytearray(b"".join(bytes(record.raw) for record in self.durable))
        if not log:
            return None
        log[int(self._random.random() * len(log))] ^= 1 << int(self._random.random() * 8)
        return len(self._recovered(log)[0]) < len(self.durable)

    def _recovered(self, log: bytearray) -> tuple[list[Record], list[int]]:
        data = bytes(HEADER_BYTES) + bytes(log)
        segment = Segment(Path("simulated"), self.durable_first)
        scan = scan_segment(memoryview(data), segment, 0, 0)
        return [decode_unchecked(data, offset) for offset in segment.offsets], scan.controls

    def _need_room(self) -> None:
        if self.is_full:
            raise DiskFailed("the simulated disk is full: expected room for a write")

    def _begin_sync(self) -> None:
        if not self._is_syncing and self._pending:
            self._is_syncing = True
            delay_us = self.sync_delay.draw_us(self._random)
            last = self.records[-1] if self.records else None
            report = None if last is None else (last.index, last.term)
            self._scheduler.after(delay_us, self._end_sync, self._life, self._epoch, len(self._pending), report)

    def _end_sync(self, life: int, epoch: int, writes: int, report: tuple[int, int] | None) -> None:
        if life != self._life:
            return
        self._is_syncing = False
        if not self.fails_next:
            self._settle(writes)
            if epoch == self._epoch and report is not None:
                self._reports.append(report)
        self._notify()
        if life == self._life:
            self._begin_sync()

    def _settle(self, writes: int) -> None:
        for write in self._pending[:writes]:
            if isinstance(write, int):
                del self.durable[write - self.durable_first :]
            elif isinstance(write, _Forget):
                del self.durable[: write.first_index - self.durable_first]
                self.durable_first = write.first_index
            else:
                self.durable.append(write)
        del self._pending[:writes]
