"""A disk that is full, broken or slow to take: what is not there is not acknowledged, and someone is told."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_support import append_synced, content, make, make_many, raws, wait_synced

from psmr.errors import DiskFailed, Violation
from psmr.storage import Files, HardState, LogStore
from psmr.storage.files import write_fully
from psmr.storage.log_writer import FEW_BYTES
from psmr.storage.record import Buffer


class FailingFiles(Files):
    """Calls of the methods in `errors` fail with that errno; `short` bounds what one write takes."""

    def __init__(self, short: int | None = None, **errors: int) -> None:
        self.errors = errors
        self.short = short

    def _fail(self, name: str) -> None:
        if name in self.errors:
            raise OSError(self.errors[name], os.strerror(self.errors[name]))

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        if self.short is None:
            self._fail("pwritev")
            return super().pwritev(fd, buffers, offset)
        left = self.short
        taken = []
        for buffer in buffers:
            taken.append(memoryview(buffer)[:left])
            left -= len(taken[-1])
        written = super().pwritev(fd, taken, offset)
        self._fail("pwritev")
        return written

    def fdatasync(self, fd: int) -> None:
        self._fail("fdatasync")
        super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        self._fail("fsync")
        super().fsync(fd)

    def preadv(self, fd: int, buffers: Sequence[bytearray | memoryview], offset: int) -> int:
        self._fail("preadv")
        return super().preadv(fd, buffers, offset)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._fail("truncate")
        super().truncate(fd, size_bytes)

    def rename(self, source: Path, target: Path) -> None:
        self._fail("rename")
        super().rename(source, target)


def wait_failed(store: LogStore) -> str:
    assert store.has_synced or select.select([store.fileno()], [], [], 20)[0]
    with pytest.raises(DiskFailed) as raised:
        store.take_synced()
    return str(raised.value)


def check_dead(store: LogStore) -> None:
    """Every call that writes or reports raises, again and again, and closing does once."""
    calls: list[Callable[[], object]] = [
        store.check,
        store.take_synced,
        lambda: store.append([make(store.last_index + 1)]),
        lambda: store.truncate(store.last_index),
        store.check,
        store.close,
    ]
    for call in calls:
        with pytest.raises(DiskFailed):
            call()
    store.close()


@pytest.fixture(params=[0, FEW_BYTES], ids=["by the thread", "by the owner"])
def whoever_writes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small appends are synced by the log's thread, or by its owner."""
    monkeypatch.setattr("psmr.storage.log_writer.FEW_BYTES", request.param)


@pytest.mark.usefixtures("whoever_writes")
@pytest.mark.parametrize(
    ("call", "number", "advice"),
    [
        ("pwritev", errno.ENOSPC, "Make room"),
        ("pwritev", errno.EDQUOT, "Make room"),
        ("pwritev", errno.EROFS, "writable again"),
        ("pwritev", errno.EIO, "Check the disk"),
        ("fdatasync", errno.EIO, "Check the disk"),
        ("fdatasync", errno.ENOSPC, "Make room"),
    ],
)
def test_a_failed_write_or_sync_ends_the_log(tmp_path: Path, call: str, number: int, advice: str) -> None:
    files = FailingFiles()
    store = LogStore(tmp_path, True, files=files)
    append_synced(store, make_many(1, 5))
    files.errors[call] = number
    store.append(make_many(6, 9))
    text = wait_failed(store)
    for part in ("log-00000000000000000001.seg", os.strerror(number), errno.errorcode[number], "bytes free", advice):
        assert part in text
    assert store.written_index == 5
    files.errors.clear()
    check_dead(store)
    with LogStore(tmp_path, True) as store:
        assert content(store)[:5] == raws(make_many(1, 5))


@pytest.mark.usefixtures("whoever_writes")
@pytest.mark.parametrize("call", ["rename", "fsync", "pwritev"])
def test_a_segment_that_cannot_be_made(tmp_path: Path, call: str) -> None:
    files = FailingFiles()
    store = LogStore(tmp_path, True, 500, files=files)
    append_synced(store, make_many(1, 2))
    files.errors[call] = errno.ENOSPC
    store.append(make_many(3, 4))
    assert "log-00000000000000000003.seg: creating a segment failed" in wait_failed(store)
    check_dead(store)
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(make_many(1, 2))


@pytest.mark.usefixtures("whoever_writes")
def test_a_cut_that_fails_is_not_reported(tmp_path: Path) -> None:
    files = FailingFiles()
    store = LogStore(tmp_path, True, files=files)
    append_synced(store, make_many(1, 5))
    files.errors["truncate"] = errno.EIO
    store.truncate(3)
    store.append(make_many(3, 4, term=2))
    assert "discarding records" in wait_failed(store)
    check_dead(store)
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(make_many(1, 5))


@pytest.mark.usefixtures("whoever_writes")
def test_the_disk_fills_up_in_the_middle_of_a_flush(tmp_path: Path) -> None:
    files = FailingFiles()
    store = LogStore(tmp_path, True, files=files)
    append_synced(store, make_many(1, 5))
    files.short, files.errors["pwritev"] = 250, errno.ENOSPC
    store.append(make_many(6, 9))
    wait_failed(store)
    check_dead(store)
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(make_many(1, 6))
        assert "index 7" in str(store.recovered)


def test_failing_to_open_names_the_disk(tmp_path: Path) -> None:
    with LogStore(tmp_path, True) as store:
        append_synced(store, make_many(1, 5))
    for call in ("preadv", "fsync"):
        with pytest.raises(DiskFailed, match="EIO"):
            LogStore(tmp_path, True, files=FailingFiles(**{call: errno.EIO}))


def test_a_read_that_fails_names_the_segment(tmp_path: Path) -> None:
    files = FailingFiles()
    with LogStore(tmp_path, True, cache_bytes=0, files=files) as store:
        append_synced(store, make_many(1, 5))
        files.errors["preadv"] = errno.EIO
        with pytest.raises(DiskFailed, match=r"0001\.seg: reading records failed"):
            store.read(1, 100)


@pytest.mark.parametrize("call", ["pwritev", "fsync", "rename"])
def test_a_vote_that_cannot_be_saved(tmp_path: Path, call: str) -> None:
    HardState(tmp_path).save(3, 1)
    with pytest.raises(DiskFailed, match="hard-state: writing term and vote failed"):
        HardState(tmp_path, files=FailingFiles(**{call: errno.ENOSPC})).save(4, 2)
    assert HardState(tmp_path).load() == (3, 1)


def test_short_writes_are_continued(tmp_path: Path) -> None:
    with LogStore(tmp_path, False, files=FailingFiles(short=37)) as store:
        append_synced(store, make_many(1, 30))
        append_synced(store, make_many(31, 40, size=0))
    with LogStore(tmp_path, False) as store:
        assert content(store) == raws(make_many(1, 30) + make_many(31, 40, size=0))


class MemoryFile(Files):
    """One file in memory, each write taking as many bytes as the next of `takes`."""

    def __init__(self, takes: list[int]) -> None:
        self.takes = takes
        self.data = bytearray()

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        assert len(buffers) <= 1024
        assert offset == len(self.data)
        taken = b"".join(buffers)[: self.takes.pop() if self.takes else None]
        self.data += taken
        return len(taken)


@given(
    st.lists(st.binary(min_size=1, max_size=9), max_size=20),
    st.lists(st.integers(1, 30), max_size=20),
    st.integers(1, 300),
)
def test_writing_fully_writes_everything_in_order(parts: list[bytes], takes: list[int], repeat: int) -> None:
    file = MemoryFile(takes)
    write_fully(file, -1, parts * repeat, 0)
    assert file.data == b"".join(parts * repeat)


def test_a_write_that_takes_nothing_is_an_error() -> None:
    with pytest.raises(OSError, match="took no byte"):
        write_fully(MemoryFile([0]), -1, [b"x"], 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_of_anything_else_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LogStore(tmp_path, True)
    append_synced(store, [make(1)])
    monkeypatch.setattr("psmr.storage.log_writer.FEW_BYTES", 0)
    monkeypatch.setattr("psmr.storage.segments.flush_mark", lambda *_: 1 / 0)
    store.append([make(2)])
    with pytest.raises(Violation, match=r"log writer of .* ended"):
        wait_synced(store, 2)
    monkeypatch.undo()
    store.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from psmr.errors import DiskFailed
from storage_support import append_synced, make_many
from psmr.storage import LogStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
store = LogStore(Path(sys.argv[1]), False)
try:
    for first in range(1, 1000, 10):
        append_synced(store, make_many(first, first + 9))
        print(first + 9, flush=True)
except DiskFailed as failed:
    print(failed)
"""


def test_a_file_size_limit_set_by_the_system(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), "10000"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *acknowledged, text = done.stdout.splitlines()
    assert "EFBIG" in text
    assert "file size limit" in text
    with LogStore(tmp_path, False) as store:
        assert content(store)[: int(acknowledged[-1])] == raws(make_many(1, int(acknowledged[-1])))
        assert store.recovered is not None
