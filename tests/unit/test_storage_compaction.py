"""What a durable snapshot makes unneeded goes, by whole segments; and the log that a snapshot replaces goes altogether."""

from __future__ import annotations

import errno
import os
from itertools import count
from pathlib import Path

import pytest
from storage_support import append_synced, content, make, make_many, raws, segment_paths

from psmr.errors import DiskFailed, InvalidCall, LogDamaged, Violation
from psmr.storage import Files, LogStore, Record, decode_unchecked, encode
from psmr.storage.record import CONTROL_MAGIC
from psmr.storage.segment import segment_name
from psmr.storage.term_runs import runs_above, term_of

both_modes = pytest.mark.parametrize("sync", [True, False])

SEGMENT_BYTES = 32 + 3 * (32 + 144)
"""Room for three records of `make`, each appended alone."""
RECORDS = make_many(1, 4, term=1) + make_many(5, 7, term=2) + make_many(8, 20, term=4)
"""In segments that start at 1, 4, 7, 10, 13, 16, 19."""


def fill(folder: Path, records: list[Record] = RECORDS, sync: bool = False) -> None:
    with open_small(folder, sync, base=(records[0].index - 1, 1)) as store:
        for record in records:
            append_synced(store, [record])


def open_small(folder: Path, sync: bool = False, base: tuple[int, int] = (0, 0), **options) -> LogStore:  # type: ignore[no-untyped-def]
    return LogStore(folder, sync, SEGMENT_BYTES, base=base, cache_bytes=0, **options)


def firsts(folder: Path) -> list[int]:
    return [int(path.stem.removeprefix("log-")) for path in segment_paths(folder)]


@both_modes
@pytest.mark.parametrize(("index", "kept_from"), [(0, 1), (3, 1), (5, 1), (6, 4), (8, 4), (9, 7), (18, 16), (20, 16)])
def test_all_segments_below_the_snapshot_go_but_the_newest(
    tmp_path: Path, sync: bool, index: int, kept_from: int
) -> None:
    fill(tmp_path, sync=sync)
    with open_small(tmp_path, sync) as store:
        assert store.compact(index) == store.first_index == kept_from
        assert store.base == (kept_from - 1, 0 if kept_from == 1 else RECORDS[kept_from - 2].term)
        assert store.term_at(store.base[0]) == store.base[1]
        assert content(store) == raws(RECORDS[kept_from - 1 :])
        assert store.term_runs() == runs_above([(1, 1), (5, 2), (8, 4)], kept_from - 1, 20)
        with pytest.raises(InvalidCall, match=f"from {kept_from} to 21"):
            store.read(kept_from - 1, 100)
    assert firsts(tmp_path) == [first for first in (1, 4, 7, 10, 13, 16, 19) if first >= kept_from]


@both_modes
def test_a_compacted_log_opens_with_its_snapshot_and_goes_on(tmp_path: Path, sync: bool) -> None:
    fill(tmp_path, sync=sync)
    with open_small(tmp_path, sync) as store:
        store.compact(13)
    for base in (9, 10, 13, 20):
        with open_small(tmp_path, sync, (base, 4)) as store:
            assert store.recovered is None
            # The term before the oldest record is known only from the snapshot right before it.
            assert store.base == ((9, 4) if base == 9 else (10, 4))
            assert store.term_runs() == [(store.base[0] + 1, 4)]
            assert content(store) == raws(RECORDS[store.base[0] :])
            assert (store.last_index, store.last_term, store.committed_index) == (20, 4, max(base, 13))
    with open_small(tmp_path, sync, (13, 4)) as store:
        assert store.compact(5) == store.compact(13) == 11
        append_synced(store, make_many(21, 22, term=5))
        assert store.compact(22) == 19
    with pytest.raises(LogDamaged, match=r"starting at index 14, found one that .* 19: a segment, or the snapshot"):
        open_small(tmp_path, sync, (13, 4))


def test_compaction_is_queued_behind_what_is_being_written(tmp_path: Path) -> None:
    with open_small(tmp_path, True) as store:
        for record in RECORDS:
            append_synced(store, [record])
        store.append(make_many(21, 23, term=4))
        store.truncate(22)
        store.append(make_many(22, 22, term=5))
        assert store.compact(20) == 16
        append_synced(store, make_many(23, 30, term=5))
        found = content(store)
    assert found == raws(RECORDS[15:] + make_many(21, 21, term=4) + make_many(22, 30, term=5))
    with open_small(tmp_path, base=(20, 4)) as store:
        assert content(store) == found[1:]


def test_what_is_compacted_counts_as_committed_and_what_is_not_there_cannot_be(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_small(tmp_path) as store:
        store.compact(12)
        with pytest.raises(Violation, match="index of at least 13"):
            store.truncate(12)
        with pytest.raises(Violation, match="at most 20, the last one, found 21"):
            store.compact(21)
    with open_small(tmp_path, base=(15, 4)) as store, pytest.raises(Violation, match="index of at least 16"):
        store.truncate(15)


def test_with_an_archive_nothing_is_lost(tmp_path: Path) -> None:
    fill(tmp_path)
    before = {path.name: path.read_bytes() for path in segment_paths(tmp_path)}
    for index, base in ((8, (0, 0)), (20, (8, 4))):
        with open_small(tmp_path, base=base, archive=True) as store:
            store.compact(index)
    moved = {path.name: path.read_bytes() for path in segment_paths(tmp_path / "archive")}
    kept = {path.name: path.read_bytes() for path in segment_paths(tmp_path)}
    assert sorted(moved) == [segment_name(first) for first in (1, 4, 7, 10, 13)]
    assert moved | kept == before
    for path in (tmp_path / "archive").iterdir():
        path.rename(tmp_path / path.name)
    with open_small(tmp_path) as store:
        assert content(store) == raws(RECORDS)


def append_until_it_fails(store: LogStore) -> None:
    for index in count(store.last_index + 1):
        append_synced(store, [make(index, term=4)])


def test_a_folder_that_cannot_be_changed_ends_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    store = open_small(tmp_path, True)

    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Files, "unlink", staticmethod(refuse))
    store.compact(20)
    with pytest.raises(DiskFailed, match=r"log-0+1\.seg: removing a segment that nobody needs failed: Read-only"):
        append_until_it_fails(store)
    with pytest.raises(DiskFailed, match="EROFS"):
        store.close()


def test_a_log_shorter_than_its_snapshot_is_replaced(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_small(tmp_path, base=(33, 6)) as store:
        assert "snapshot at index 33 of term 6 replaces the log, which ends at index 20" in str(store.recovered)
        assert (store.base, store.first_index, store.last_index, store.written_index) == ((33, 6), 34, 33, 33)
        assert (store.term_runs(), store.last_term, store.term_at(33), store.size_bytes) == ([], 6, 6, 0)
        assert store.read(34, 100) == []
        assert store.compact(33) == 34
        assert segment_paths(tmp_path) == []
        with pytest.raises(Violation, match="index 34 and a term of at least 6"):
            store.append([make(34, term=5)])
        append_synced(store, make_many(34, 35, term=6))
    with open_small(tmp_path, base=(33, 6)) as store:
        assert (store.base, store.recovered) == ((33, 6), None)
        assert content(store) == raws(make_many(34, 35, term=6))
        assert store.control_indexes == []


def test_a_log_with_another_term_at_its_snapshot_is_replaced(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_small(tmp_path, base=(12, 5)) as store:
        assert "index 12 of term 5 replaces the log, which has a record of term 4 there" in str(store.recovered)
        assert (store.base, store.last_index) == ((12, 5), 12)
    assert segment_paths(tmp_path) == []


def test_a_snapshot_does_not_replace_what_was_committed_behind_it(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_small(tmp_path) as store:
        store.mark_committed(20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(LogDamaged, match=r"expected the log to hold index 12 of term 5, .* it has a record of term 4"):
        open_small(tmp_path, base=(12, 5))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for path in segment_paths(tmp_path)[3:]:
        path.unlink()
    with pytest.raises(LogDamaged, match=r"hold index 12 .* it ends at index 9, though records up to index 20"):
        open_small(tmp_path, base=(12, 4))
    with open_small(tmp_path, base=(20, 4)) as store:
        assert store.last_index == 20


def test_without_its_snapshot_a_log_that_was_replaced_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, make_many(34, 40, term=6))
    for base in ((0, 0), (12, 4), (32, 6)):
        with pytest.raises(LogDamaged, match=r"found one that starts at index 34: .* snapshot-\*\.snap files"):
            open_small(tmp_path, base=base)


def test_a_replica_whose_only_snapshot_is_gone_does_not_start_as_a_new_one(tmp_path: Path) -> None:
    fill(tmp_path)
    store = open_small(tmp_path, base=(33, 6))
    with pytest.raises(LogDamaged, match="reach index 33, which was committed, found it to end at index 0"):
        open_small(tmp_path)
    store.close()
    with pytest.raises(LogDamaged, match="reach index 33, which was committed, found it to end at index 12"):
        open_small(tmp_path, base=(12, 4))


class DyingFiles(Files):
    """The process ends in front of the unlinking that `left` counts down to."""

    def __init__(self, left: int) -> None:
        self.left = left

    def unlink(self, path: Path) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        super().unlink(path)


@pytest.mark.parametrize("base", [(33, 6), (12, 5), (9, 5)])
@pytest.mark.parametrize("done", range(7))
def test_a_replacement_cut_short_is_repeated(tmp_path: Path, done: int, base: tuple[int, int]) -> None:
    """Also when a segment begins right behind the snapshot, which alone would look like a log to keep."""
    fill(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        open_small(tmp_path, base=base, files=DyingFiles(done))
    with open_small(tmp_path, base=base) as store:
        assert "replaces the log" in str(store.recovered)
        assert (store.base, store.last_index) == (base, base[0])
    assert segment_paths(tmp_path) == []


def control(index: int, rest: bytes) -> Record:
    return decode_unchecked(encode(index, 1, 5, CONTROL_MAGIC, rest))


def test_records_that_are_the_logs_own_are_found_on_opening(tmp_path: Path) -> None:
    payloads = [b"PSM", b"", b"xPSMC", b"PSMR", CONTROL_MAGIC[:2]]
    others = [decode_unchecked(encode(3 + place, 1, 5, payload)) for place, payload in enumerate(payloads)]
    records = [make(1), control(2, b""), *others, control(8, b"member" * 9), control(9, b"x"), make(10)]
    fill(tmp_path, records)
    with open_small(tmp_path) as store:
        assert store.control_indexes == [2, 8, 9]
        store.compact(9)
        assert store.first_index > 2
    with open_small(tmp_path, base=(9, 1)) as store:
        assert store.control_indexes == [index for index in (2, 8, 9) if index > store.base[0]] != []
    with open_small(tmp_path, base=(11, 1)) as store:
        assert store.control_indexes == []


def test_the_size_is_that_of_what_the_log_holds(tmp_path: Path) -> None:
    with open_small(tmp_path) as store:
        assert store.size_bytes == 0
        for record in RECORDS[:9]:
            append_synced(store, [record])
        assert store.size_bytes == 3 * SEGMENT_BYTES
        store.compact(9)
        append_synced(store, [RECORDS[9]])
        assert store.size_bytes == 2 * SEGMENT_BYTES + 32 + 32 + 144


def test_runs_of_a_log_that_begins_later() -> None:
    runs = [(1, 1), (5, 2), (8, 4)]
    terms = [1, 1, 1, 1, 2, 2, 2, 4, 4, 4]
    for index in range(11):
        kept = runs_above(runs, index, 10)
        assert [term_of(kept, each) for each in range(index + 1, 11)] == terms[index:]
        assert [run[0] for run in kept] == sorted({run[0] for run in kept})
        assert kept == [] if index == 10 else kept[0][0] == index + 1
