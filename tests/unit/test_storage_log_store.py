from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest
from storage_support import append_synced, content, make, make_many, raws, segment_paths, wait_synced

from psmr.errors import ConfigurationError, InvalidCall, LogDamaged, Violation
from psmr.storage import Files, LogStore
from psmr.storage.commit_mark import CommitMark
from psmr.storage.log_writer import FEW_BYTES

both_modes = pytest.mark.parametrize("sync", [True, False])


class GatedFiles(Files):
    """Writes wait until the gate is open; the sizes of flushes are kept. There is no way past the page cache."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.calls: list[int] = []
        self.syncs = 0

    def open_direct(self, path: Path) -> int:
        return -1

    def pwritev(self, fd, buffers, offset):  # type: ignore[no-untyped-def]
        if len(buffers) > 1:
            self.entered.set()
            assert self.gate.wait(20)
            self.calls.append(len(buffers))
        return super().pwritev(fd, buffers, offset)

    def fdatasync(self, fd: int) -> None:
        self.syncs += 1


@both_modes
def test_an_empty_log(tmp_path: Path, sync: bool) -> None:
    with LogStore(tmp_path, sync) as store:
        assert (store.first_index, store.last_index, store.term_runs(), store.recovered) == (1, 0, [], None)
        assert store.read(1, 100) == []
        assert store.take_synced() is None


@both_modes
def test_what_is_appended_is_read_before_and_after_reopening(tmp_path: Path, sync: bool) -> None:
    records = make_many(1, 40, term=1) + make_many(41, 70, term=4, size=0)
    with LogStore(tmp_path, sync, 2000) as store:
        store.append(records[:50])
        assert content(store) == raws(records[:50])
        store.append(records[50:])
        assert wait_synced(store, 70) == (70, 4)
    with LogStore(tmp_path, sync, 2000, cache_bytes=0) as store:
        assert content(store) == content(store, max_bytes=1) == raws(records)
        assert (store.last_index, store.written_index, store.recovered) == (70, 70, None)
        assert store.term_runs() == [(1, 1), (41, 4)]
        assert [store.term_at(index) for index in (0, 1, 40, 41, 70, 71)] == [0, 1, 1, 4, 4, 0]
    assert len(segment_paths(tmp_path)) == 4


def test_reading_keeps_to_its_budget_but_gives_at_least_one(tmp_path: Path) -> None:
    records = make_many(1, 20)
    size = len(records[0].raw)
    with LogStore(tmp_path, False, cache_bytes=5 * size) as store:
        append_synced(store, records)
        for first in (1, 7, 14, 16, 20):
            for budget, count in ((0, 1), (size, 1), (3 * size - 1, 2), (3 * size, 3), (1 << 30, 20)):
                found = store.read(first, budget)
                assert raws(found) == raws(records[first - 1 :][:count])


def test_reading_outside_the_log_is_refused(tmp_path: Path) -> None:
    with LogStore(tmp_path, False) as store:
        append_synced(store, make_many(1, 3))
        assert store.read(4, 100) == []
        for index in (0, 5):
            with pytest.raises(InvalidCall, match="from 1 to 4"):
                store.read(index, 100)


def test_queued_appends_become_one_flush_with_one_sync(tmp_path: Path) -> None:
    files = GatedFiles()
    with LogStore(tmp_path, True, files=files) as store:
        store.append([make(1, size=FEW_BYTES)])
        assert files.entered.wait(20)
        for index in range(2, 12):
            store.append([make(index)])
        assert store.take_synced() is None
        files.gate.set()
        wait_synced(store, 11)
        # A mark, one record and the zeros ahead of it; then a mark and the ten that had queued up.
        assert files.calls == [3, 11]
        assert files.syncs == 2


def test_without_sync_nothing_is_synced(tmp_path: Path) -> None:
    files = GatedFiles()
    files.gate.set()
    with LogStore(tmp_path, False, files=files) as store:
        append_synced(store, make_many(1, 5))
        assert files.syncs == 0


@both_modes
def test_truncating_discards_and_appending_goes_on(tmp_path: Path, sync: bool) -> None:
    old, new = make_many(1, 60), make_many(21, 45, term=2, size=300)
    with LogStore(tmp_path, sync, 2000, cache_bytes=1000) as store:
        append_synced(store, old)
        store.truncate(21)
        assert (store.last_index, store.term_runs()) == (20, [(1, 1)])
        assert content(store) == raws(old[:20])
        store.append(new)
        assert content(store) == raws(old[:20] + new)
        assert wait_synced(store, 45) == (45, 2)
        assert content(store) == raws(old[:20] + new)
    with LogStore(tmp_path, sync, 2000) as store:
        assert content(store) == raws(old[:20] + new)
        assert store.recovered is None
        assert store.term_runs() == [(1, 1), (21, 2)]


@pytest.mark.parametrize("from_index", [1, 2, 11, 12, 29, 30])
def test_truncating_at_and_around_the_edges_of_segments(tmp_path: Path, from_index: int) -> None:
    records = make_many(1, 30)
    with LogStore(tmp_path, True, 32 + 10 * (32 + len(records[0].raw))) as store:
        for record in records:
            append_synced(store, [record])
        assert [path.name[-6:-4] for path in segment_paths(tmp_path)] == ["01", "11", "21"]
        store.truncate(from_index)
        assert wait_synced(store, from_index - 1)[0] == from_index - 1
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(records[: from_index - 1])
        append_synced(store, [make(from_index, term=2)])
        assert store.last_index == from_index


def test_a_report_from_before_a_cut_is_not_given(tmp_path: Path) -> None:
    files = GatedFiles()
    with LogStore(tmp_path, True, files=files) as store:
        store.append(make_many(1, 9, size=FEW_BYTES))
        assert files.entered.wait(20)
        store.truncate(5)
        store.append(make_many(5, 6, seed=1))
        files.gate.set()
        seen = []
        while not seen or seen[-1] != (6, 1):
            synced = store.take_synced()
            seen += [synced] if synced else []
        assert seen[0] in ((4, 1), (6, 1))
        assert content(store) == raws(make_many(1, 4, size=FEW_BYTES) + make_many(5, 6, seed=1))


def test_truncating_behind_the_end_does_nothing(tmp_path: Path) -> None:
    with LogStore(tmp_path, True) as store:
        append_synced(store, make_many(1, 3))
        store.truncate(4)
        store.truncate(100)
        assert (store.last_index, store.written_index) == (3, 3)


def test_what_is_committed_is_never_truncated(tmp_path: Path) -> None:
    with LogStore(tmp_path, True) as store:
        append_synced(store, make_many(1, 9))
        store.mark_committed(5)
        with pytest.raises(Violation, match="at least 6, the first uncommitted, found 5"):
            store.truncate(5)
        store.truncate(6)
    with LogStore(tmp_path, True) as store:
        assert (store.committed_index, store.last_index) == (5, 5)
        with pytest.raises(Violation, match="at least 6"):
            store.truncate(1)


def test_the_mark_vouches_only_for_what_is_written_here(tmp_path: Path) -> None:
    """A majority may have committed what this replica's disk has yet to take."""
    files = GatedFiles()
    store = LogStore(tmp_path, True, files=files)
    files.gate.set()
    append_synced(store, make_many(1, 3))
    store.append(make_many(4, 9))
    store.mark_committed(9)
    store.close()
    with LogStore(tmp_path, True) as store:
        assert (store.committed_index, store.last_index) == (3, 9)


def test_appending_out_of_order_is_a_violation(tmp_path: Path) -> None:
    with LogStore(tmp_path, False) as store:
        append_synced(store, make_many(1, 3, term=2))
        for wrong in (make(5, term=2), make(3, term=2), make(4, term=1)):
            with pytest.raises(Violation, match="index 4 and a term of at least 2"):
                store.append([wrong])
        with pytest.raises(Violation, match="index 5"):
            store.append([make(4, term=2), make(6, term=2)])
        assert store.last_index == 3


def test_a_batch_larger_than_a_segment_and_more_records_than_one_write_takes(tmp_path: Path) -> None:
    large, small = make(1, size=32 << 20), make_many(2, 3000, size=8)
    with LogStore(tmp_path, True, 1 << 20) as store:
        append_synced(store, [large, *small])
        assert len(segment_paths(tmp_path)) == 2
    with LogStore(tmp_path, True, cache_bytes=0) as store:
        assert content(store) == raws([large, *small])


def test_zeros_are_written_ahead_only_when_syncing(tmp_path: Path) -> None:
    for sync in (True, False):
        folder = tmp_path / str(sync)
        with LogStore(folder, sync) as store:
            append_synced(store, make_many(1, 3))
            size = segment_paths(folder)[0].stat().st_size
        assert (size > 1 << 20) is sync


def test_a_folder_without_the_records_asked_for_is_damaged(tmp_path: Path) -> None:
    with LogStore(tmp_path, False, base=(4, 1)) as store:
        append_synced(store, make_many(5, 9))
    with LogStore(tmp_path, False, base=(6, 1)) as store:
        assert (store.base, store.first_index, store.last_index) == ((5, 1), 6, 9)
    with pytest.raises(LogDamaged, match="starting at index 1, found one that starts at index 5"):
        LogStore(tmp_path, False)


def test_another_clusters_log_is_refused(tmp_path: Path) -> None:
    with LogStore(tmp_path, False, cluster_id=7) as store:
        append_synced(store, make_many(1, 9))
    with pytest.raises(ConfigurationError, match=r"cluster 0x0+8, found one of cluster 0x0+7"):
        LogStore(tmp_path, False, cluster_id=8)


@pytest.mark.parametrize("broken", [False, True])
def test_opening_and_closing_leaves_no_descriptor_and_no_thread(tmp_path: Path, broken: bool) -> None:
    with LogStore(tmp_path, True, 500) as store:
        append_synced(store, make_many(1, 30))
    if broken:
        os.truncate(segment_paths(tmp_path)[0], 40)
    gc.collect()  # what other tests have left to the collector is not to go in between
    before = sorted(os.listdir("/proc/self/fd")), threading.active_count()
    if broken:
        with pytest.raises(LogDamaged):
            LogStore(tmp_path, True)
    else:
        store = LogStore(tmp_path, True, 500)
        append_synced(store, make_many(31, 60))
        store.read(1, 1 << 20)
        store.close()
        store.close()
    assert (sorted(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_the_commit_mark_is_saved_while_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.storage.log_writer.MARK_PERIOD_S", 0)
    with LogStore(tmp_path, True) as store:
        append_synced(store, [make(1)])
        store.mark_committed(1)
        append_synced(store, [make(2)])
        append_synced(store, [make(3)])  # Its report comes after what the writer did behind the one before.
        mark = CommitMark(tmp_path, Files(), 0)
        assert mark.index == 1
        mark.close()


class CountingFiles(Files):
    """Counts the files synced."""

    def __init__(self) -> None:
        self.synced = 0

    def fsync(self, fd: int) -> None:
        self.synced += 1
        super().fsync(fd)


def test_what_is_found_on_opening_is_synced_before_it_counts_as_written(tmp_path: Path) -> None:
    """The process before may have been killed between its write and its sync, or may have run without syncing."""
    with LogStore(tmp_path, False, 500) as store:
        append_synced(store, make_many(1, 9))
    for sync in (True, False):
        files = CountingFiles()
        with LogStore(tmp_path, sync, files=files) as store:
            assert store.written_index == 9
            assert files.synced == (len(segment_paths(tmp_path)) if sync else 0)
