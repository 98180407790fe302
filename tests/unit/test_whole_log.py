"""The whole log of a stopped cluster: from archives and logs of all, equal wherever two have an entry, nothing changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from storage_support import append_synced, make, make_many, raws
from test_storage_compaction import RECORDS, SEGMENT_BYTES, fill, open_small

from psmr.errors import ConfigurationError, LogDamaged, Violation
from psmr.storage import LogStore, Record, WholeLog


def compact(folder: Path, index: int, *, archive: bool) -> None:
    with open_small(folder, archive=archive) as store:
        store.compact(index)


def whole(*folders: Path, last: int = 20, departed: tuple[Path, ...] = (), max_bytes: int = 300) -> list[bytes]:
    log = WholeLog(folders, 0, last, departed=departed)
    found: list[Record] = []
    while part := log.read(len(found) + 1, max_bytes):
        found += part
    return raws(found)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def joined_at(folder: Path, index: int, records: list[Record]) -> None:
    with LogStore(folder, False, SEGMENT_BYTES, base=(index, 4)) as store:
        append_synced(store, records)


@pytest.mark.parametrize("max_bytes", [1, 300, 1 << 20])
def test_archive_and_log_together_are_the_log_and_stay_as_they_are(tmp_path: Path, max_bytes: int) -> None:
    fill(tmp_path)
    compact(tmp_path, 13, archive=True)
    before = files_of(tmp_path)
    assert whole(tmp_path, max_bytes=max_bytes) == raws(RECORDS)
    assert whole(tmp_path, last=15) == raws(RECORDS[:15])
    assert files_of(tmp_path) == before


def test_what_one_replica_never_had_another_has(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fill(old)
    compact(old, 20, archive=True)
    joined_at(new, 17, RECORDS[17:] + make_many(21, 25, term=4))
    assert whole(new, old, last=25) == raws(RECORDS + make_many(21, 25, term=4))
    with pytest.raises(ConfigurationError, match=r"1 to 25, found index 1 in none of 1 folders: .*archive = true"):
        whole(new, last=25)


def test_a_log_without_its_beginning_says_so_in_one_line(tmp_path: Path) -> None:
    fill(tmp_path)
    compact(tmp_path, 13, archive=False)
    with pytest.raises(ConfigurationError) as raised:
        whole(tmp_path)
    assert str(raised.value).count("\n") == 0
    assert "found index 1 in none of 1 folders" in str(raised.value)


def test_a_hole_between_replicas_is_named(tmp_path: Path) -> None:
    early, late = tmp_path / "early", tmp_path / "late"
    fill(early, RECORDS[:9])
    joined_at(late, 11, RECORDS[11:])
    with pytest.raises(ConfigurationError, match="found index 10 in none of 2 folders"):
        whole(early, late)


def test_replicas_that_differ_in_a_committed_entry_are_found(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    fill(one)
    fill(other, [*RECORDS[:13], make(14, 4, seed=1), *RECORDS[14:]])
    with pytest.raises(
        Violation, match=r"log index 14: expected committed entries to be equal, found Record.* in .*one"
    ):
        whole(one, other)
    assert whole(one, other, last=13) == raws(RECORDS[:13])


def test_of_a_replica_that_left_only_what_it_knew_to_be_committed_counts(tmp_path: Path) -> None:
    stayed, left = tmp_path / "stayed", tmp_path / "left"
    fill(stayed)
    fill(left, [*RECORDS[:13], make(14, 4, seed=1)])
    assert whole(stayed, departed=(left,)) == raws(RECORDS)
    with open_small(left) as store:
        store.mark_committed(14)
        append_synced(store, [make(15, 4)])
    with pytest.raises(Violation, match="log index 14"):
        whole(stayed, departed=(left,))


@pytest.mark.parametrize("has_snapshot", [True, False])
def test_what_a_snapshot_of_a_replica_that_left_stands_for_is_taken_from_its_log(
    tmp_path: Path, has_snapshot: bool
) -> None:
    stayed, left = tmp_path / "stayed", tmp_path / "left"
    fill(left, RECORDS[:14])
    (left / "commit-mark").unlink()
    if has_snapshot:
        (left / "snapshot-00000000000000000013.snap").touch()
    joined_at(stayed, 13, RECORDS[13:])
    if has_snapshot:
        assert whole(stayed, departed=(left,)) == raws(RECORDS)
    else:
        with pytest.raises(ConfigurationError, match="found index 1 in none"):
            whole(stayed, departed=(left,))


def test_a_damaged_segment_is_no_shorter_log(tmp_path: Path) -> None:
    fill(tmp_path)
    compact(tmp_path, 13, archive=True)
    path = tmp_path / "archive" / "log-00000000000000000004.seg"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogDamaged, match=r"0004\.seg: offset .*, index 6: expected checksum"):
        whole(tmp_path)
    shutil.copyfile(__file__, path)
    with pytest.raises(LogDamaged, match=r"0004\.seg: offset 0: expected a segment header"):
        whole(tmp_path)


def test_another_clusters_log_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(ConfigurationError, match="found one of cluster 0x0000000000000000"):
        WholeLog([tmp_path], 7, 20)
