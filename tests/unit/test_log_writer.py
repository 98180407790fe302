"""Who syncs what is appended to a synced log: its owner where it is little, else a thread; in the order of the appends."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from storage_support import append_synced, content, make, make_many, raws, wait_synced

from psmr.storage import Files, LogStore, log_writer

SMALL, LARGE = 100, log_writer.FEW_BYTES


class Syncs(Files):
    """Which thread synced, in order."""

    def __init__(self) -> None:
        self.by: list[str] = []

    def fdatasync(self, fd: int) -> None:
        self.by.append("owner" if threading.current_thread() is threading.main_thread() else "thread")
        super().fdatasync(fd)


@pytest.fixture
def files() -> Syncs:
    return Syncs()


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "SLOW_S", 60.0)


def appended(store: LogStore, files: Syncs, *sizes: int) -> list[str]:
    """Who synced, when records of these sizes were appended one by one before anybody asked for reports."""
    files.by.clear()
    first = store.last_index + 1
    for index, size in enumerate(sizes, first):
        store.append([make(index, size=size)])
    wait_synced(store, store.last_index)
    rest(store)
    return files.by


def rest(store: LogStore) -> None:
    """The thread reports before it rests."""
    writer = store._writer
    deadline_s = time.monotonic() + 20
    while writer._queued != writer._done:
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def test_a_few_bytes_are_synced_by_whoever_asks_for_the_report(tmp_path: Path, files: Syncs) -> None:
    with LogStore(tmp_path, True, files=files) as store:
        assert appended(store, files, SMALL) == ["owner"]
        assert appended(store, files, SMALL, SMALL, SMALL) == ["owner"]
        assert appended(store, files, LARGE) == ["thread"]
        assert content(store) == raws([*make_many(1, 4), make(5, size=LARGE)])


def test_before_anybody_asks_nothing_is_synced_and_nothing_acknowledged(tmp_path: Path, files: Syncs) -> None:
    with LogStore(tmp_path, True, files=files) as store:
        store.append([make(1)])
        assert store.has_synced
        assert (files.by, store.written_index) == ([], 0)
        assert store.take_synced() == (1, 1)
        assert (files.by, store.written_index) == (["owner"], 1)


def test_what_becomes_too_much_goes_to_the_thread_all_of_it_in_order(tmp_path: Path, files: Syncs) -> None:
    with LogStore(tmp_path, True, files=files) as store:
        assert set(appended(store, files, SMALL, LARGE, SMALL)) == {"thread"}
        assert content(store) == raws([make(1), make(2, size=LARGE), make(3)])


def test_a_cut_comes_behind_what_is_held(tmp_path: Path, files: Syncs) -> None:
    with LogStore(tmp_path, True, files=files) as store:
        store.append(make_many(1, 5))
        store.truncate(3)
        store.append([make(3, term=2)])
        assert wait_synced(store, 3) == (3, 2)
        assert content(store) == raws([*make_many(1, 2), make(3, term=2)])
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws([*make_many(1, 2), make(3, term=2)])


def test_closing_writes_what_is_held(tmp_path: Path) -> None:
    with LogStore(tmp_path, True) as store:
        store.append(make_many(1, 3))
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(make_many(1, 3))


def test_after_a_slow_sync_the_thread_does_all_for_a_while(
    tmp_path: Path, files: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LogStore(tmp_path, True, files=files) as store:
        monkeypatch.setattr(log_writer, "SLOW_S", -1.0)
        assert appended(store, files, SMALL) == ["owner"]
        assert appended(store, files, SMALL) == ["thread"]
        monkeypatch.setattr(log_writer, "RESPITE_S", 0.0)
        store._writer._thread_only_until_s = 0.0
        assert appended(store, files, SMALL) == ["owner"]
        assert appended(store, files, SMALL) == ["owner"]


def test_while_the_thread_has_work_it_gets_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    class Gated(Syncs):
        def fdatasync(self, fd: int) -> None:
            assert threading.current_thread() is threading.main_thread() or gate.wait(20)
            super().fdatasync(fd)

    files = Gated()
    with LogStore(tmp_path, True, files=files) as store:
        append_synced(store, [make(1)])
        store.append([make(2, size=LARGE)])
        store.append([make(3)])
        assert store.take_synced() is None
        gate.set()
        wait_synced(store, 3)
        assert set(files.by[1:]) == {"thread"}
