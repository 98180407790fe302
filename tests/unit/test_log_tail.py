"""The tail of a log that is not synced: whoever is killed leaves everything that was reported as written."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.errors import ConfigurationError, DiskFailed, LogDamaged
from psmr.storage import LogStore, Record, WholeLog, log_tail
from psmr.storage.files import PAGE_BYTES, Files
from psmr.storage.log_tail import TAIL_NAME
from psmr.storage.record import Buffer
from tests.unit.storage_support import append_synced, content, make, make_many, raws, segment_paths, wait_synced

SMALL_RING = 4 * PAGE_BYTES

WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from tests.unit.storage_support import make_many
from psmr.storage import LogStore
store = LogStore(Path(sys.argv[1]), False, 6 << 20)
store.append(make_many(1, 4, size=10))
index = 4
print(*store.take_synced(), flush=True)
while True:
    store.append(make_many(index + 1, index + 30, size=9_000))
    index += 30
    print(*store.take_synced(), flush=True)
"""


@pytest.fixture
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "RING_BYTES", SMALL_RING)
    monkeypatch.setattr(log_tail, "PIECE_BYTES", PAGE_BYTES)


class Ways(Files):
    """A disk that knows no way past the page cache, or fails on it, or has no room for a ring."""

    def __init__(self, *, is_direct: bool = True, fails_from: int | None = None, has_room: bool = True) -> None:
        self._is_direct = is_direct
        self._fails_from = fails_from
        self._has_room = has_room
        self._direct: set[int] = set()
        self.direct_bytes = 0

    def open_direct(self, path: Path) -> int:
        if not self._is_direct:
            return -1
        fd = super().open_direct(path)
        self._direct.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self._direct.discard(fd)
        super().close(fd)

    def create_mapped(self, path: Path, size_bytes: int) -> mmap.mmap:
        if not self._has_room:
            raise OSError(errno.ENOSPC, "no room")
        return super().create_mapped(path, size_bytes)

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        if fd in self._direct:
            size_bytes = sum(map(len, buffers))
            assert offset % PAGE_BYTES == size_bytes % PAGE_BYTES == 0
            if self._fails_from is not None and offset + size_bytes > self._fails_from:
                raise OSError(errno.EIO, "broken")
            self.direct_bytes += size_bytes
        return super().pwritev(fd, buffers, offset)


def left_by_a_kill(folder: Path) -> Path:
    """The folder as it would be if its process were killed now: what the kernel has."""
    copy = folder.with_name(f"{folder.name}-killed")
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(folder, copy)


def append_for_ever(store: LogStore) -> None:
    """Until something is raised."""
    while True:
        store.append([make(store.last_index + 1, size=1_500)])
        store.take_synced()


def check_for_ever(store: LogStore) -> None:
    """Until it raises."""
    while True:
        store.check()


@pytest.mark.parametrize("reports", [1, 3, 80])
def test_a_killed_process_leaves_what_was_reported_as_written(tmp_path: Path, reports: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        index = 0
        for _ in range(reports):
            index = int(process.stdout.readline().split()[0])
        process.send_signal(signal.SIGKILL)
    assert index == 4 + 30 * (reports - 1)
    assert (tmp_path / TAIL_NAME).exists()
    made = make_many(1, 4, size=10) + make_many(5, index, size=9_000)
    whole = WholeLog([tmp_path], 0, index)
    assert [bytes(whole.read(each, 1)[0].raw) for each in (1, 4, index)] == raws([made[0], made[3], made[-1]])
    with LogStore(tmp_path, False) as store:
        assert store.recovered is None
        assert content(store)[:index] == raws(made)
        following = make(store.last_index + 1)
        store.append([following])
        assert store.take_synced() == (following.index, 1)
    assert not (tmp_path / TAIL_NAME).exists()
    with LogStore(tmp_path, True) as store:
        assert content(store)[-1] == following.raw


@pytest.mark.usefixtures("small_ring")
def test_what_was_cut_off_does_not_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with LogStore(folder, False) as store:
        for each in make_many(1, 4) + make_many(5, 10, term=3):
            append_synced(store, [each])
        store.truncate(5)
        following = make(5, term=2)  # as long as the one before: where it ends the mark of the old sixth begins
        append_synced(store, [following])
        with LogStore(left_by_a_kill(folder), False) as left:
            assert content(left) == raws([*make_many(1, 4), following])


@pytest.mark.usefixtures("small_ring")
def test_a_segment_that_rests_and_is_cut_then_does_not_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with LogStore(folder, False, 1_000) as store:
        store.append(make_many(1, 9, term=3))
        store.take_synced()
        assert len(segment_paths(folder)) > 1
        newest = segment_paths(folder)[-1]
        store.truncate(int(newest.stem.removeprefix("log-")))
        store.take_synced()
        store.truncate(2)
        store.take_synced()
        with LogStore(left_by_a_kill(folder), False) as left:
            assert content(left) == raws(make_many(1, 1, term=3))


@pytest.mark.parametrize("ways", [{"is_direct": False}, {"has_room": False}])
def test_where_there_is_no_ring_the_page_cache_does(tmp_path: Path, ways: dict[str, bool]) -> None:
    folder = tmp_path / "log"
    with LogStore(folder, False, files=Ways(**ways)) as store:
        store.append(make_many(1, 9))
        store.take_synced()
        assert not (folder / TAIL_NAME).exists()
        with LogStore(left_by_a_kill(folder), False) as left:
            assert content(left) == raws(make_many(1, 9))


@pytest.mark.usefixtures("small_ring")
def test_a_disk_that_fails_behind_the_ring_is_told_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    store = LogStore(folder, False, files=Ways(fails_from=10 * PAGE_BYTES))
    with pytest.raises(DiskFailed, match="EIO"):
        append_for_ever(store)
    index = store.written_index
    with pytest.raises(DiskFailed):
        store.append([make(store.last_index + 1)])
    with pytest.raises(DiskFailed):
        store.close()
    assert index > 0
    with LogStore(folder, False) as left:
        assert content(left)[:index] == raws(make_many(1, index, size=1_500))


@pytest.mark.usefixtures("small_ring")
def test_pages_go_past_the_cache_and_are_read_where_they_are(tmp_path: Path) -> None:
    files = Ways()
    made = make_many(1, 200, size=700)
    with LogStore(tmp_path, False, cache_bytes=1, files=files) as store:
        for each in made:
            store.append([each])
            wait_synced(store, each.index)
        assert files.direct_bytes > 100_000
        assert content(store, 5_000) == raws(made)


def test_zeros_that_a_synced_log_left_are_no_end(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with LogStore(folder, True) as store:
        store.append(make_many(1, 3))
        wait_synced(store, 3)
    with LogStore(folder, False) as store:
        store.append(make_many(4, 6))
        store.take_synced()
        with LogStore(left_by_a_kill(folder), True) as left:
            assert content(left) == raws(make_many(1, 6))


def test_a_tail_whose_segment_was_replaced_without_it_is_refused_and_stays(tmp_path: Path) -> None:
    folder, donor = tmp_path / "log", tmp_path / "donor"
    for each, count in ((folder, 5), (donor, 9)):
        with LogStore(each, True) as store:
            store.append(make_many(1, count))
            wait_synced(store, count)
    with LogStore(folder, False) as store:
        store.append(make_many(6, 7, seed=1))
        store.take_synced()
        left = left_by_a_kill(folder)
    for path in left.glob("log-[0-9]*.seg"):
        path.unlink()
    shutil.copy(segment_paths(donor)[0], left)
    for _ in range(2):
        with pytest.raises(LogDamaged, match=r"stop the cluster, replace the log-\*\.seg"):
            LogStore(left, False)
    (left / TAIL_NAME).unlink()
    with LogStore(left, False) as store:
        assert content(store) == raws(make_many(1, 9))


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """3 MB that are in the segment, then 30 records that only the ring has, each a flush of its own."""
    with LogStore(tmp_path / "log", False, cache_bytes=1) as store:
        store.append(make_many(1, 30, size=100_000))
        store.take_synced()
        assert raws(store.read(2, 1)) == raws(
            make_many(2, 2, size=100_000)
        )  # from the file, whatever the thread has done
        store.append(make_many(31, 60, size=60_000))
        store.take_synced()
        for each in make_many(61, 90):
            append_synced(store, [each])
        return left_by_a_kill(tmp_path / "log")


@pytest.mark.parametrize(("name", "place"), [("log-00000000000000000001.seg", 200_000), (TAIL_NAME, 4_096 + 4_805_000)])
def test_a_flipped_bit_with_later_records_is_damage_and_nothing_is_removed(killed: Path, name: str, place: int) -> None:
    data = bytearray((killed / name).read_bytes())
    data[place] ^= 4
    (killed / name).write_bytes(data)
    for _ in range(2):
        with pytest.raises(LogDamaged, match=r"records written later follow|found other bytes"):
            LogStore(killed, False)
    data[place] ^= 4
    (killed / name).write_bytes(data)
    with LogStore(killed, False) as store:
        assert store.last_index == 90


def test_damaged_heads_and_other_clusters_are_refused_and_nothing_is_removed(killed: Path) -> None:
    whole = (killed / TAIL_NAME).read_bytes()
    damaged = bytearray(whole)
    for at in log_tail.HEAD_PLACES:
        damaged[at + 9] ^= 1
    (killed / TAIL_NAME).write_bytes(damaged)
    with pytest.raises(LogDamaged, match="two that are damaged"):
        LogStore(killed, False)
    (killed / TAIL_NAME).write_bytes(whole)
    with pytest.raises(ConfigurationError, match="found format 1 of cluster 0x0000000000000000"):
        LogStore(killed, False, cluster_id=5)
    with LogStore(killed, False) as store:
        assert store.last_index == 90


def test_a_process_killed_before_its_first_head_was_whole_had_nothing_to_lose(tmp_path: Path) -> None:
    with LogStore(tmp_path, True) as store:
        append_synced(store, make_many(1, 3))
    (tmp_path / TAIL_NAME).write_bytes(b"PSL".ljust(PAGE_BYTES + SMALL_RING, b"\0"))
    with LogStore(tmp_path, False) as store:
        assert not (tmp_path / TAIL_NAME).exists()
        assert content(store) == raws(make_many(1, 3))


def test_a_folder_that_was_removed_is_no_trouble_at_the_end(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "log", False)
    append_synced(store, make_many(1, 3))
    shutil.rmtree(tmp_path / "log")
    store.close()


def test_what_the_thread_met_is_told_without_another_append(tmp_path: Path) -> None:
    store = LogStore(tmp_path, False, files=Ways(fails_from=0))
    store.append(make_many(1, 30, size=100_000))
    store.take_synced()
    with pytest.raises(DiskFailed, match="EIO"):
        check_for_ever(store)
    with pytest.raises(DiskFailed):
        store.close()


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 9), st.sampled_from([8, 100, 3_000, 20_000])),
        st.tuples(st.just("cut"), st.integers(0, 12), st.just(0)),
        st.tuples(st.just("kill"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(_STEPS, st.integers(2, 12))
def test_whatever_is_written_and_cut_is_what_is_left(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]], segment_pages: int
) -> None:
    folder = tmp_path_factory.mktemp("tail") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_tail, "RING_BYTES", SMALL_RING)
        patch.setattr(log_tail, "PIECE_BYTES", PAGE_BYTES)
        kept: list[Record] = []
        term = 1
        with LogStore(folder, False, segment_pages * PAGE_BYTES) as store:
            for what, count, size in steps:
                if what == "append":
                    new = make_many(len(kept) + 1, len(kept) + count, term, size)
                    store.append(new)
                    kept += new
                elif what == "cut" and kept:
                    del kept[max(0, len(kept) - count) :]
                    store.truncate(len(kept) + 1)
                    term += 1
                store.take_synced()
                if what == "kill":
                    with LogStore(left_by_a_kill(folder), False) as left:
                        assert content(left) == raws(kept)
        with LogStore(folder, False) as store:
            assert content(store) == raws(kept)
