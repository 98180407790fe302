"""Snapshot files: what was written is read, what is damaged is not, and nothing counts before it is whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot_support import CLUSTER_ID, FailingFiles, body_of, head_of, in_one_folder, names, take
from xxhash import xxh3_64_intdigest

from psmr.errors import ConfigurationError, DiskFailed, InvalidCall, LogDamaged
from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.storage import (
    SnapshotFile,
    SnapshotWriter,
    newest_snapshot,
    remove_older,
    snapshot_format,
)
from psmr.storage.record import Buffer

FILES = UnsyncedFiles()
NAME_5, NAME_9 = "snapshot-00000000000000000005.snap", "snapshot-00000000000000000009.snap"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.storage.snapshot_format.BLOCK_BYTES", 64)


def opened(path: Path) -> SnapshotFile:
    found = SnapshotFile(path, FILES, CLUSTER_ID)
    found.verify()
    return found


def content(snapshot: SnapshotFile) -> bytes:
    with snapshot.body() as body:
        assert body.readonly
        return bytes(body)


@pytest.mark.parametrize("size", [0, 1, 8, 4096, (1 << 20) - 1, 1 << 20, (5 << 20) + 3])
@pytest.mark.parametrize("meta", [b"", b"x", bytes(range(256)) * 4096])
def test_what_is_written_is_read(tmp_path: Path, size: int, meta: bytes) -> None:
    made = take(tmp_path, 5, size, meta)
    found = newest_snapshot(tmp_path, FILES, CLUSTER_ID)
    assert found is not None
    assert found.path == made.path == tmp_path / NAME_5
    assert found.head == made.head == head_of(5, size, meta)
    assert found.checksum == made.checksum
    assert content(found) == body_of(5, size)
    raw = found.path.read_bytes()
    assert found.size_bytes == len(raw)
    assert found.read(0, 1 << 30) == raw
    assert found.read(3, 10) == raw[3:13]
    assert found.read(len(raw) + 5, 10) == b""
    found.close()


writes = st.lists(st.tuples(st.integers(0, 500), st.lists(st.binary(max_size=150), max_size=3)), max_size=8)


@in_one_folder
@given(writes, st.integers(0, 200))
def test_parts_may_come_in_any_order_overlap_and_leave_holes(
    tmp_path: Path, small_blocks: None, parts: list[tuple[int, list[bytes]]], more: int
) -> None:
    body = bytearray()
    writer = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=5)
    for offset, buffers in parts:
        data = b"".join(buffers)
        writer.write(offset, buffers)
        if data:
            body.extend(bytes(max(0, offset + len(data) - len(body))))
            body[offset : offset + len(data)] = data
    body.extend(bytes(more))
    found = writer.finish(head_of(5, len(body)))
    opened(found.path)
    assert content(found) == body
    again = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=5)
    again.write(0, [body])
    assert again.finish(head_of(5, len(body))).checksum == found.checksum


def test_every_flipped_byte_is_detected(tmp_path: Path, small_blocks: None) -> None:
    path = take(tmp_path, 5, 300, b"five!").path
    good = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(good):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << place % 8]), place)
            with pytest.raises(LogDamaged, match=f"{NAME_5}: offset [0-9]+: expected .* found"):
                opened(path)
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert content(opened(path)) == body_of(5, 300)


@in_one_folder
@given(st.data())
def test_every_other_content_is_detected(tmp_path: Path, small_blocks: None, data: st.DataObject) -> None:
    path = take(tmp_path, 5, 300, b"five!").path
    good = path.read_bytes()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, len(good)))
    bad = good[:start] + data.draw(st.binary(max_size=90) | st.just(good[start:stop] * 2)) + good[stop:]
    path.write_bytes(bad)
    if bad == good:
        opened(path)
        return
    with pytest.raises(LogDamaged):
        opened(path)


def test_every_shorter_and_longer_file_is_detected(tmp_path: Path, small_blocks: None) -> None:
    path = take(tmp_path, 5, 300).path
    good = path.read_bytes()
    for bad in [*(good[:size] for size in range(len(good) - 1, 0, -31)), b"", good + b"\0", good + bytes(4096)]:
        path.write_bytes(bad)
        with pytest.raises(LogDamaged, match=r"offset 0: expected .* stop the cluster, replace the log-\*.seg and"):
            opened(path)


@pytest.mark.parametrize(("after_body", "after_meta"), [(1, 0), (0, 1)])
def test_what_fills_gaps_is_zero_even_where_checksums_agree(tmp_path: Path, after_body: int, after_meta: int) -> None:
    body, meta = b"body", b"five!"
    fill_body, fill_meta = bytes([after_body, 0, 0, 0]), bytes([0, 0, after_meta])
    trailer = meta + fill_meta + xxh3_64_intdigest(body).to_bytes(8, "little")
    header = snapshot_format.encode_header(head_of(5, 4, meta), CLUSTER_ID, xxh3_64_intdigest(trailer))
    path = tmp_path / NAME_5
    path.write_bytes(header + body + fill_body + trailer)
    with pytest.raises(LogDamaged, match="offset 4100: expected zeros behind body and meta"):
        opened(path)
    path.write_bytes(header + body + bytes(4) + trailer)
    if not after_meta:
        assert content(opened(path)) == body


def test_a_damaged_block_is_named_by_its_place(tmp_path: Path) -> None:
    path = take(tmp_path, 5, 3 << 20).path
    with path.open("r+b") as file:
        file.seek(4096 + (2 << 20) + 77)
        file.write(b"????")
    with pytest.raises(LogDamaged, match=f"offset {4096 + (2 << 20)}: expected 1048576 bytes with checksum"):
        opened(path)


def test_a_file_that_is_cut_after_it_was_opened_is_damaged(tmp_path: Path) -> None:
    """Also where what is missing is what the block before it held."""
    writer = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=5)
    writer.write(0, [bytes(2 << 20)])
    found = writer.finish(head_of(5, 2 << 20))
    os.truncate(found.path, 4096 + (1 << 20))
    with pytest.raises(LogDamaged, match=f"offset {4096 + (1 << 20)}: "):
        found.verify()


def test_of_another_cluster_or_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(tmp_path, 5)
    with pytest.raises(ConfigurationError, match=r"cluster 0x0+8, found one of cluster 0x0+7"):
        newest_snapshot(tmp_path, FILES, 8)
    with monkeypatch.context() as patch:
        patch.setattr("psmr.storage.snapshot_format.FORMAT_VERSION", 0)
        with pytest.raises(ConfigurationError, match="format 0 or older, found 1"):
            newest_snapshot(tmp_path, FILES, CLUSTER_ID)
    assert names(tmp_path) == [NAME_5]


# Which one is used


def test_without_any_there_is_none(tmp_path: Path) -> None:
    assert newest_snapshot(tmp_path, FILES, CLUSTER_ID) is None
    assert newest_snapshot(tmp_path / "none", FILES, CLUSTER_ID) is None


def test_the_newest_is_used_and_older_ones_go_when_told(tmp_path: Path) -> None:
    for index in (5, 9, 12):
        take(tmp_path, index)
    found = newest_snapshot(tmp_path, FILES, CLUSTER_ID)
    assert found is not None
    assert found.head.index == 12
    remove_older(tmp_path, FILES, 9)
    assert names(tmp_path) == [NAME_9, found.path.name]
    remove_older(tmp_path, FILES, 12)
    assert names(tmp_path) == [found.path.name]


def test_one_that_is_removed_while_it_is_sent_can_be_read_to_its_end(tmp_path: Path) -> None:
    sent = take(tmp_path, 5)
    raw = sent.path.read_bytes()
    assert sent.read(0, 100) == raw[:100]
    remove_older(tmp_path, FILES, 9, sent.path)
    assert names(tmp_path) == []
    assert sent.read(100, len(raw)) == raw[100:]
    sent.close()
    sent.close()


@pytest.mark.parametrize("place", [0, 50, 4096, -1])
def test_a_damaged_one_is_left_aside_for_an_older_one(tmp_path: Path, place: int) -> None:
    take(tmp_path, 5)
    data = bytearray(take(tmp_path, 9).path.read_bytes())
    data[place] ^= 4
    (tmp_path / NAME_9).write_bytes(data)
    skipped: list[str] = []
    found = newest_snapshot(tmp_path, FILES, CLUSTER_ID, skipped)
    assert found is not None
    assert found.head.index == 5
    assert len(skipped) == 1
    assert f"{NAME_9}: offset " in skipped[0]
    assert f"Left aside as {NAME_9}.damaged; an older one is used" in skipped[0]
    assert names(tmp_path) == [NAME_5, f"{NAME_9}.damaged"]
    assert (tmp_path / f"{NAME_9}.damaged").read_bytes() == data
    assert newest_snapshot(tmp_path, FILES, CLUSTER_ID, skipped) is not None
    assert len(skipped) == 1


def test_one_under_anothers_name_is_damaged(tmp_path: Path) -> None:
    take(tmp_path, 5).path.rename(tmp_path / NAME_9)
    skipped: list[str] = []
    assert newest_snapshot(tmp_path, FILES, CLUSTER_ID, skipped) is None
    assert "found one at index 5. Left aside" in skipped[0]


def test_what_a_crash_left_unfinished_is_removed(tmp_path: Path) -> None:
    writer = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=9)
    writer.write(0, [b"half"])
    (tmp_path / f"{NAME_5}.part").write_bytes(b"received")
    assert newest_snapshot(tmp_path, FILES, CLUSTER_ID) is None
    assert names(tmp_path) == []
    writer.abandon()


# Writing


def test_an_abandoned_one_leaves_nothing_and_a_finished_one_stays(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=5)
    writer.write(0, [b"some"])
    for _ in range(2):
        writer.abandon()
    assert names(tmp_path) == []
    writer = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=5)
    writer.finish(head_of(5, 0))
    writer.abandon()
    assert names(tmp_path) == [NAME_5]
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("index", "size", "meta"), [(6, 10, b""), (5, 9, b""), (5, 10, bytes(snapshot_format.META_BYTES_MAX + 1))]
)
def test_a_head_that_is_not_of_what_was_written(tmp_path: Path, index: int, size: int, meta: bytes) -> None:
    writer = SnapshotWriter(tmp_path, FILES, cluster_id=CLUSTER_ID, index=5)
    writer.write(0, [b"0123456789"])
    with pytest.raises(InvalidCall, match="finish: expected a head with index 5, at least 10 bytes"):
        writer.finish(head_of(index, size, meta))
    writer.abandon()


@pytest.mark.parametrize("call", ["pwritev", "truncate", "fsync", "rename"])
def test_on_a_full_disk_there_is_no_new_one_and_the_old_one_stays(tmp_path: Path, call: str) -> None:
    take(tmp_path, 5)
    files = FailingFiles()
    writer = SnapshotWriter(tmp_path, files, cluster_id=CLUSTER_ID, index=9)
    writer.write(0, [b"body"])
    files.fails = call
    with pytest.raises(DiskFailed, match=r"snapshot-0+9\.snap.* failed: No space left .* Make room"):
        writer.finish(head_of(9, 4))
    writer.abandon()
    assert names(tmp_path) == [NAME_5]
    files.fails = "create_file"
    with pytest.raises(DiskFailed, match="creating a snapshot failed"):
        SnapshotWriter(tmp_path, files, cluster_id=CLUSTER_ID, index=9)


class CountingFiles(UnsyncedFiles):
    """What is synced, and how much was written since."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.unsynced = self.unsynced_max = 0

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        written = super().pwritev(fd, buffers, offset)
        self.unsynced += written
        self.unsynced_max = max(self.unsynced_max, self.unsynced)
        return written

    def fdatasync(self, fd: int) -> None:
        self.unsynced = 0

    def fsync(self, fd: int) -> None:
        self.calls.append("fsync")

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append("rename")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self.calls.append("sync_folder")


@pytest.mark.parametrize("step", [3 << 20, 40 << 20])
def test_a_large_one_is_synced_a_little_at_a_time_and_whole_before_it_is_in_place(tmp_path: Path, step: int) -> None:
    files = CountingFiles()
    writer = SnapshotWriter(tmp_path, files, cluster_id=CLUSTER_ID, index=5)
    for offset in range(0, 40 << 20, step):
        writer.write(offset, [bytes(step)])
    size = -(-(40 << 20) // step) * step
    writer.finish(head_of(5, size))
    assert files.unsynced_max <= (16 << 20) + min(step, 16 << 20)
    assert files.calls == ["fsync", "rename", "sync_folder"]
