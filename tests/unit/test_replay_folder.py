"""A replica's folder looked at: what can be had of it, one line for what cannot, and not a byte of it changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from storage_support import append_synced, make_many, raws

from psmr.errors import ConfigurationError, LogDamaged
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.position import Position
from psmr.storage import Files, LogStore, SnapshotHead, SnapshotWriter, claim

SEGMENT_BYTES = 600
CLUSTER_ID = 5
LAST = 20


def claimed(folder: Path) -> Path:
    claim(folder, cluster="c", cluster_id=CLUSTER_ID, replica_id=1, service="Book", fingerprint=9).close()
    return folder


def store_in(folder: Path, *, archive: bool = False) -> LogStore:
    return LogStore(folder, False, SEGMENT_BYTES, cluster_id=CLUSTER_ID, archive=archive)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of several segments, of which 12 entries are known to be committed."""
    with store_in(claimed(tmp_path)) as store:
        append_synced(store, RECORDS)
        store.mark_committed(12)
    return tmp_path


RECORDS = make_many(1, LAST)


def snapshot_at(folder: Path, index: int) -> Path:
    writer = SnapshotWriter(folder, Files(), cluster_id=CLUSTER_ID, index=index)
    writer.write(0, [b"12345678"])
    return writer.finish(SnapshotHead(index, 1, 0, 9, b"meta", 8)).path


def read_all(found: ReplicaFolder, first: int = 1) -> list[bytes]:
    records: list[bytes] = []
    while part := found.read(first + len(records), 200):
        records += raws(list(part))
    return records


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def newest_segment(folder: Path) -> Path:
    return max(folder.glob("log-[0-9]*.seg"))


def test_a_whole_log_can_be_had_from_its_beginning(folder: Path) -> None:
    before = files_of(folder)
    found = ReplicaFolder.open(folder)
    assert (found.first, found.last, found.committed, found.notes) == (0, LAST, 12, [])
    assert read_all(found) == raws(RECORDS)
    assert found.origin_for(LAST).snapshot is None
    assert files_of(folder) == before


def test_a_folder_in_use_with_a_torn_end_is_read_to_its_last_whole_record(folder: Path) -> None:
    path = newest_segment(folder)
    whole = ReplicaFolder.open(folder)._load(path)
    torn = bytearray(path.read_bytes())
    torn[whole.end : whole.end + 8] = b"PSMR\xff\x00\x00\x00"
    path.write_bytes(torn)
    before = files_of(folder)
    use = claim(folder, cluster="c", cluster_id=CLUSTER_ID, replica_id=1, service="Book", fingerprint=9)
    with use:
        found = ReplicaFolder.open(folder)
        assert (found.last, read_all(found)) == (LAST, raws(RECORDS))
    assert {name: data for name, (data, _) in files_of(folder).items() if "lock" not in name} == {
        name: data for name, (data, _) in before.items() if "lock" not in name
    }


def test_what_was_committed_and_is_no_record_is_damage(folder: Path) -> None:
    first, second, *_ = sorted(folder.glob("log-[0-9]*.seg"))
    data = bytearray(first.read_bytes())
    data[100] ^= 1
    first.write_bytes(data)
    found = ReplicaFolder.open(folder)
    with pytest.raises(
        LogDamaged, match=r"log-0+1.seg: offset 64, index 1: expected checksum .*; later segments follow, so"
    ):
        found.read(1, 1)
    assert found.read(int(second.name[4:24]), 1)
    newest = newest_segment(folder)
    newest.write_bytes(newest.read_bytes()[:20])
    with pytest.raises(LogDamaged, match="offset 0: expected a segment header"):
        ReplicaFolder.open(folder)


def test_of_a_compacted_log_positions_from_its_snapshot_on(folder: Path) -> None:
    snapshot_at(folder, 15)
    with store_in(folder) as store:
        first = store.compact(15)
    assert first > 1
    found = ReplicaFolder.open(folder)
    assert (found.first, found.last, [origin.index for origin in found.origins]) == (15, LAST, [15])
    assert read_all(found, 16) == raws(RECORDS[15:])
    with pytest.raises(
        ConfigurationError, match="expected a position from 15 to 20, found 14: what is before 15 was repl"
    ):
        found.origin_for(14)
    with pytest.raises(ConfigurationError, match="expected a position up to 20, the log's last entry, found 21"):
        found.origin_for(21)


def test_an_archive_has_the_beginning(folder: Path) -> None:
    snapshot_at(folder, 15)
    with store_in(folder, archive=True) as store:
        store.compact(15)
    found = ReplicaFolder.open(folder)
    assert [origin.index for origin in found.origins] == [0, 15]
    assert read_all(found) == raws(RECORDS)


def test_a_damaged_snapshot_is_left_where_it_is_and_told_of(folder: Path) -> None:
    path = snapshot_at(folder, 15)
    path.write_bytes(path.read_bytes()[:-8])
    found = ReplicaFolder.open(folder)
    assert [origin.index for origin in found.origins] == [0]
    assert re.search(r"snapshot-0+15.snap: offset 0: expected .* bytes", found.notes[0])
    assert path.exists()


def test_a_snapshot_that_the_log_does_not_go_on_behind_is_of_no_use_but_for_its_own_position(tmp_path: Path) -> None:
    claimed(tmp_path)
    snapshot_at(tmp_path, 15)
    found = ReplicaFolder.open(tmp_path)
    assert (found.first, found.last, found.read(15, 1)) == (15, 15, ())
    with LogStore(tmp_path, False, SEGMENT_BYTES, cluster_id=CLUSTER_ID, base=(17, 1)) as store:
        append_synced(store, make_many(18, 20))
    with pytest.raises(
        ConfigurationError, match="found its entries 18 to 20 alone: give the folder of another replica"
    ):
        ReplicaFolder.open(tmp_path)


def test_a_snapshot_that_was_fetched_and_not_yet_begun_with_is_a_position_of_its_own(folder: Path) -> None:
    snapshot_at(folder, 30)
    found = ReplicaFolder.open(folder)
    assert (found.last_record, found.last) == (LAST, 30)
    assert [found.origin_for(index).index for index in (0, LAST, 30)] == [0, 0, 30]
    with pytest.raises(
        ConfigurationError, match="expected a position up to 20, where its log ends, or 30, that of a snap"
    ):
        found.origin_for(25)


def test_what_is_no_folder_of_a_replica_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere: expected the data folder of a replica, found none there"):
        ReplicaFolder.open(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match=r"found no identity\.json in it: give the folder itself"):
        ReplicaFolder.open(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file: expected the data folder of a replica, found a file there"):
        ReplicaFolder.open(tmp_path / "file")
    (tmp_path / "data" / "replica-1").mkdir(parents=True)
    claimed(tmp_path / "data" / "replica-1")
    with pytest.raises(
        ConfigurationError, match=r"found no identity\.json in it: give one of those in it: .*replica-1$"
    ):
        ReplicaFolder.open(tmp_path / "data")
    with (
        store_in(claimed(tmp_path)),
        pytest.raises(ConfigurationError, match="expected a log with entries, found none: give the folder of a run"),
    ):
        ReplicaFolder.open(tmp_path)


def test_a_segment_that_goes_meanwhile_is_told_of(folder: Path) -> None:
    found = ReplicaFolder.open(folder)
    min(folder.glob("log-[0-9]*.seg")).unlink()
    with pytest.raises(ConfigurationError, match="found it removed by the replica, which runs: replay again"):
        found.read(1, 1)


@pytest.mark.parametrize(("text", "expected"), [("12", (12, None)), (" 12:3 ", (12, 3)), ("0", (0, None))])
def test_positions(text: str, expected: tuple[int, int | None]) -> None:
    found = Position.parse(text, "--to")
    assert (found.index, found.row) == expected
    assert str(found) == text.strip()


@pytest.mark.parametrize("text", ["", "-1", "1:", ":3", "1:2:3", "1.5", "x", "١٢", "9" * 20])
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--to .*: expected a log index, or index:row"):
        Position.parse(text, "--to")
