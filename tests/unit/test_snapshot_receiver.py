"""Receiving a snapshot: parts in any order, again, or nonsense, end in the peer's file, byte for byte, or in none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from snapshot_support import CLUSTER_ID, FailingFiles, body_of, head_of, names, take

from psmr.errors import ConfigurationError, DiskFailed, InvalidCall, LogDamaged
from psmr.fuzzing.unsynced import UnsyncedFiles
from psmr.storage import SnapshotFile, SnapshotReceiver, newest_snapshot

FILES = UnsyncedFiles()
NAME = "snapshot-00000000000000000005.snap"


@pytest.fixture
def sent(tmp_path: Path) -> SnapshotFile:
    """What a peer offers."""
    (tmp_path / "peer").mkdir()
    return take(tmp_path / "peer", 5, 2000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def receiver_of(folder: Path, sent: SnapshotFile, index: int = 5) -> SnapshotReceiver:
    return SnapshotReceiver(folder, FILES, CLUSTER_ID, index, sent.size_bytes)


def pull(receiver: SnapshotReceiver, sent: SnapshotFile, count: int = 700) -> None:
    while receiver.missing() < receiver.size_bytes:
        receiver.write(receiver.missing(), sent.read(receiver.missing(), count))


def check_received(folder: Path, sent: SnapshotFile, receiver: SnapshotReceiver) -> None:
    found = receiver.finish()
    assert found.path == folder / NAME
    assert found.path.read_bytes() == sent.path.read_bytes()
    assert found.checksum == sent.checksum
    assert names(folder) == [NAME]
    receiver.abandon()
    newest = newest_snapshot(folder, FILES, CLUSTER_ID)
    assert newest is not None
    assert newest.head == sent.head


def test_a_snapshot_is_pulled_part_by_part(folder: Path, sent: SnapshotFile) -> None:
    receiver = receiver_of(folder, sent)
    assert (receiver.missing(), names(folder)) == (0, [NAME + ".part"])
    pull(receiver, sent)
    check_received(folder, sent, receiver)


@pytest.mark.parametrize("seed", range(40))
def test_parts_late_lost_repeated_or_foreign_do_no_harm(folder: Path, sent: SnapshotFile, seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(1, 900)
    receiver = receiver_of(folder, sent)
    on_the_way: list[tuple[int, bytes]] = []
    known = 0
    while receiver.missing() < receiver.size_bytes:
        for _ in range(chance.randint(1, 4)):
            offset = receiver.missing() + chance.choice([0, 0, count, 5 * count, -count])
            on_the_way.append((max(0, offset), sent.read(max(0, offset), count)))
        on_the_way.append((chance.choice([-3, receiver.size_bytes, 1 << 62]), bytes(chance.choice([0, 5]))))
        chance.shuffle(on_the_way)
        for _ in range(chance.randint(0, len(on_the_way))):
            receiver.write(*on_the_way.pop())
            assert known <= receiver.missing() <= receiver.size_bytes
            known = receiver.missing()
    check_received(folder, sent, receiver)


def test_parts_that_came_early_are_not_asked_for_again(folder: Path, sent: SnapshotFile) -> None:
    receiver = receiver_of(folder, sent)
    for offset in (2000, 1000, 4000, 3000):
        receiver.write(offset, sent.read(offset, 1000))
        assert receiver.missing() == 0
    receiver.write(0, sent.read(0, 1000))
    assert receiver.missing() == 5000
    pull(receiver, sent)
    check_received(folder, sent, receiver)


def test_what_comes_far_too_early_or_in_too_many_pieces_is_dropped(folder: Path, sent: SnapshotFile) -> None:
    receiver = SnapshotReceiver(folder, FILES, CLUSTER_ID, 5, 1 << 60)
    receiver.write((64 << 20) + 1, b"x")
    assert (folder / (NAME + ".part")).stat().st_size == 0
    for place in range(100):
        receiver.write(2 * place + 2, b"x")
    receiver.write(0, b"xx")
    assert receiver.missing() == 3
    receiver.write(3, b"x" * 400)
    assert receiver.missing() == 403
    receiver.abandon()
    assert names(folder) == []


def test_before_it_is_whole_it_cannot_be_finished(folder: Path, sent: SnapshotFile) -> None:
    receiver = receiver_of(folder, sent)
    receiver.write(0, sent.read(0, sent.size_bytes - 1))
    with pytest.raises(InvalidCall, match=f"all {sent.size_bytes} bytes of a snapshot, found {sent.size_bytes - 1}"):
        receiver.finish()
    pull(receiver, sent)
    check_received(folder, sent, receiver)
    with pytest.raises(InvalidCall, match="at least 4096 bytes, found 4095"):
        SnapshotReceiver(folder, FILES, CLUSTER_ID, 5, 4095)


@pytest.mark.parametrize("place", [0, 30, 90, 4095, 4096, 5000, -9, -1])
def test_garbage_is_refused_and_leaves_nothing(folder: Path, sent: SnapshotFile, place: int) -> None:
    bad = bytearray(sent.path.read_bytes())
    bad[place] ^= 0x10
    receiver = receiver_of(folder, sent)
    receiver.write(0, bad)
    with pytest.raises(LogDamaged, match=r"\.snap\.part: offset \d+: .* Receive it again, from its beginning"):
        receiver.finish()
    assert names(folder) == []
    again = receiver_of(folder, sent)
    pull(again, sent)
    check_received(folder, sent, again)


def test_parts_of_two_snapshots_are_not_one(folder: Path, sent: SnapshotFile, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = take(tmp_path / "other", 5, 2000, b"abcd")
    receiver = receiver_of(folder, sent)
    receiver.write(0, sent.read(0, 5000))
    pull(receiver, other)
    with pytest.raises(LogDamaged, match="expected checksum"):
        receiver.finish()


def test_another_index_or_another_cluster_is_refused(folder: Path, sent: SnapshotFile) -> None:
    receiver = receiver_of(folder, sent, index=6)
    pull(receiver, sent)
    with pytest.raises(LogDamaged, match="at index 6, found one at 5"):
        receiver.finish()
    foreign = SnapshotReceiver(folder, FILES, 8, 5, sent.size_bytes)
    pull(foreign, sent)
    with pytest.raises(ConfigurationError, match=r"cluster 0x0+8, found"):
        foreign.finish()
    assert names(folder) == []


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_on_a_full_disk_nothing_is_in_place(folder: Path, sent: SnapshotFile, call: str) -> None:
    files = FailingFiles()
    receiver = SnapshotReceiver(folder, files, CLUSTER_ID, 5, sent.size_bytes)
    pull(receiver, sent)
    files.fails = call
    with pytest.raises(DiskFailed, match="ENOSPC"):
        receiver.finish()
    receiver.abandon()
    assert names(folder) == []


def test_a_body_received_is_the_body_sent(folder: Path, sent: SnapshotFile) -> None:
    receiver = receiver_of(folder, sent)
    pull(receiver, sent, 64)
    found = receiver.finish()
    assert found.head == head_of(5, 2000)
    with found.body() as body:
        assert body == body_of(5, 2000)
