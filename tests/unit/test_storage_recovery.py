"""Cut and flipped bytes at every kind of place: a torn tail is cut, damage is refused, never one for the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from storage_support import append_synced, content, make, make_many, raws, segment_paths

from psmr.errors import ConfigurationError, LogDamaged
from psmr.storage import LogStore, Record
from psmr.storage.commit_mark import NAME as MARK_NAME
from psmr.storage.segment import flush_mark, segment_header

HEADER, MARK = 32, 32
FLUSHES = [make_many(1, 3), make_many(4, 6), make_many(7, 9)]
RECORDS = [record for flush in FLUSHES for record in flush]
SIZE = len(RECORDS[0].raw)
LAST_FLUSH = HEADER + 2 * (MARK + 3 * SIZE)
END = LAST_FLUSH + MARK + 3 * SIZE


@pytest.fixture(params=[True, False], ids=["sync", "no-sync"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A segment with three flushes of three records each, and no commit mark."""
    with LogStore(tmp_path, request.param) as store:
        for flush in FLUSHES:
            append_synced(store, flush)
    (tmp_path / MARK_NAME).unlink()
    return segment_paths(tmp_path)[0]


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(path: Path, offset: int) -> None:
    overwrite(path, offset, bytes([path.read_bytes()[offset] ^ 0x10]))


def check_cut(path: Path, kept: int) -> None:
    """Opening keeps the first `kept` records, says so, leaves no trace of the others, and goes on."""
    with LogStore(path.parent, True) as store:
        assert content(store) == raws(RECORDS[:kept])
        assert store.recovered is not None
        for part in (str(path), f"index {kept + 1}", "expected", "found", "Cut off"):
            assert part in store.recovered
    more = make_many(kept + 1, kept + 2, term=2, size=7)
    with LogStore(path.parent, True) as store:
        assert store.recovered is None
        append_synced(store, more)
    with LogStore(path.parent, True) as store:
        assert content(store) == raws(RECORDS[:kept] + more)


def check_damaged(path: Path, *parts: str) -> None:
    before = path.read_bytes()
    with pytest.raises(LogDamaged) as raised:
        LogStore(path.parent, True)
    for part in (str(path), "expected", "found", "move", *parts):
        assert part in str(raised.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("length", [LAST_FLUSH + MARK + 2 * SIZE + extra for extra in (1, 8, 39, 40, 41, SIZE - 1)])
def test_a_file_cut_within_its_last_record(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    check_cut(path, 8)


@pytest.mark.parametrize("length", [LAST_FLUSH + 1, LAST_FLUSH + 31, LAST_FLUSH + MARK + 1, LAST_FLUSH + MARK + 50])
def test_a_file_cut_within_the_first_record_of_its_last_flush(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    check_cut(path, 6)


@pytest.mark.parametrize("length", [LAST_FLUSH, LAST_FLUSH + MARK, LAST_FLUSH + MARK + SIZE])
def test_a_file_cut_between_records_is_a_shorter_log(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with LogStore(path.parent, True) as store:
        assert store.recovered is None
        assert content(store) == raws(RECORDS[: 6 if length <= LAST_FLUSH + MARK else 7])


@pytest.mark.parametrize("place", [0, 5, 8, 16, 24, 32, 39, 40, SIZE - 5, SIZE - 1])
@pytest.mark.parametrize("record", [0, 1, 2])
def test_a_flip_in_the_last_flush_is_a_torn_tail(path: Path, record: int, place: int) -> None:
    """Also with valid records behind it: a power cut may keep the last page of a flush and lose the first."""
    flip(path, LAST_FLUSH + MARK + record * SIZE + place)
    check_cut(path, 6 + record)


@pytest.mark.parametrize("place", [0, 5, 8, 16, 24, 31])
def test_a_flip_in_the_last_flush_mark_is_a_torn_tail(path: Path, place: int) -> None:
    flip(path, LAST_FLUSH + place)
    check_cut(path, 6)


def test_a_lost_page_in_the_last_flush_is_a_torn_tail(path: Path) -> None:
    overwrite(path, LAST_FLUSH + MARK, bytes(SIZE))
    check_cut(path, 6)


@pytest.mark.parametrize("place", [0, 5, 8, 16, 24, 32, 40, SIZE - 5])
@pytest.mark.parametrize("record", [0, 2, 3, 5])
def test_a_flip_before_the_last_flush_is_damage(path: Path, record: int, place: int) -> None:
    offset = HEADER + MARK * (1 + record // 3) + record * SIZE
    flip(path, offset + place)
    check_damaged(path, f"offset {offset}", f"index {record + 1}", "synced later follow")


def test_a_lost_page_before_the_last_flush_is_damage(path: Path) -> None:
    overwrite(path, LAST_FLUSH - SIZE, bytes(SIZE))
    check_damaged(path, "index 6", f"follow at offset {LAST_FLUSH}")


def test_a_flip_up_to_the_commit_mark_is_damage(path: Path) -> None:
    with LogStore(path.parent, True) as store:
        store.mark_committed(8)
    flip(path, LAST_FLUSH + MARK + SIZE)
    check_damaged(path, "index 8", "up to index 8 were committed")


def test_a_flip_behind_the_commit_mark_is_a_torn_tail(path: Path) -> None:
    with LogStore(path.parent, True) as store:
        store.mark_committed(8)
    flip(path, LAST_FLUSH + MARK + 2 * SIZE)
    check_cut(path, 8)


def test_a_log_that_ends_below_the_commit_mark_is_damaged(path: Path) -> None:
    with LogStore(path.parent, True) as store:
        store.mark_committed(9)
    path.write_bytes(path.read_bytes()[:LAST_FLUSH])
    with pytest.raises(LogDamaged, match="reach index 9, which was committed, found it to end at index 6"):
        LogStore(path.parent, True)
    path.unlink()
    with pytest.raises(LogDamaged, match="found it to end at index 0"):
        LogStore(path.parent, True)


@pytest.mark.parametrize("place", [0, 8, 16, 31])
def test_a_bad_commit_mark_counts_for_nothing(path: Path, place: int) -> None:
    with LogStore(path.parent, True) as store:
        store.mark_committed(9)
    flip(path.parent / MARK_NAME, place)
    with LogStore(path.parent, True) as store:
        assert (store.committed_index, store.last_index) == (0, 9)


def test_damage_in_a_segment_that_is_not_the_last(tmp_path: Path) -> None:
    with LogStore(tmp_path, True, HEADER + MARK + 3 * SIZE) as store:
        for record in RECORDS:
            append_synced(store, [record])
    (tmp_path / MARK_NAME).unlink()
    paths = segment_paths(tmp_path)
    whole = paths[0].read_bytes()
    flip(paths[0], HEADER + MARK + SIZE + MARK)
    check_damaged(paths[0], "index 2", "Later segments follow")
    paths[0].write_bytes(whole)
    aside = paths[1].read_bytes()
    paths[1].unlink()
    check_damaged(paths[2], "a segment is missing")
    paths[1].write_bytes(aside)
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(RECORDS)


@pytest.mark.parametrize("place", [0, 4, 8, 16, 24])
def test_a_flip_in_a_segments_header_is_damage(path: Path, place: int) -> None:
    flip(path, place)
    check_damaged(path, "segment header")


def test_a_segment_under_another_name_is_damage(path: Path) -> None:
    moved = path.with_name("log-00000000000000000002.seg")
    path.rename(moved)
    check_damaged(moved, "misnamed")


def test_a_newer_format_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.storage.segment.FORMAT_VERSION", 2)
    overwrite(path, 0, segment_header(0, 1))
    with pytest.raises(ConfigurationError, match="format 1 or older, found 2"):
        LogStore(path.parent, True)


def test_a_half_made_segment_is_removed(path: Path) -> None:
    aside = path.with_name("log-00000000000000000010.seg.new")
    aside.write_bytes(b"PS")
    with LogStore(path.parent, True) as store:
        assert store.last_index == 9
    assert not aside.exists()


def write_segment(folder: Path, *flushes: list[Record]) -> Path:
    path = folder / "log-00000000000000000001.seg"
    data = segment_header(0, 1)
    for flush in flushes:
        data += flush_mark(0, flush[0].index, len(data)) + b"".join(record.raw for record in flush)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("stale", [make(4, term=1), make(3, term=2), make(5, term=2)])
def test_a_stale_record_behind_the_tail_is_not_resurrected(tmp_path: Path, stale: Record) -> None:
    """Cutting shortens the file, so none should be there; were it there, its index and term would give it away."""
    kept = [*make_many(1, 2, term=1), make(3, term=2)]
    write_segment(tmp_path, [*kept, stale])
    with LogStore(tmp_path, True) as store:
        assert content(store) == raws(kept)
        assert "index 4" in str(store.recovered)


def test_a_flush_mark_of_another_cluster_or_another_place_proves_nothing(tmp_path: Path) -> None:
    """A payload is a client's: what it contains must not make a torn tail look like damage."""
    offset = HEADER + MARK + SIZE
    path = write_segment(tmp_path, make_many(1, 2))
    end = path.stat().st_size
    flip(path, offset + 40)
    path.write_bytes(path.read_bytes() + flush_mark(7, 3, end) + flush_mark(0, 3, end))
    with LogStore(tmp_path, True) as store:
        assert store.last_index == 1


def test_damage_found_while_reading(path: Path) -> None:
    with LogStore(path.parent, True, cache_bytes=0) as store:
        flip(path, HEADER + MARK + SIZE + 50)
        assert raws(store.read(1, SIZE)) == raws(RECORDS[:1])
        with pytest.raises(LogDamaged, match=f"offset {HEADER + MARK + SIZE}, index 2: expected checksum"):
            store.read(2, 1000)
        assert raws(store.read(3, 1 << 20)) == raws(RECORDS[2:])
