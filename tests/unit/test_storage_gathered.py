"""What is gathered and written past the page cache is what a plain file would hold, whatever the order and the file system."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from direct_support import Ways
from hypothesis import given
from hypothesis import strategies as st
from power_cut_support import JournalingFiles, restore
from snapshot_support import CLUSTER_ID, body_of, head_of, in_one_folder, take

from psmr.storage import SnapshotReceiver, SnapshotWriter, newest_snapshot
from psmr.storage.files import PAGE_BYTES
from psmr.storage.gathered import Gathered


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.storage.gathered.GATHERED_BYTES", 2 * PAGE_BYTES)


near_pages = st.builds(lambda page, off: max(0, page * PAGE_BYTES + off), st.integers(0, 5), st.integers(-2, 2))
parts = st.lists(st.tuples(st.none() | near_pages, st.sampled_from([1, 5, 4095, 4096, 8192, 20_000])), max_size=8)


@in_one_folder
@given(parts, st.sampled_from([{}, {"failure": errno.EINVAL}, {"knows": False}]), st.integers(0, 8))
def test_the_file_holds_what_was_written(
    tmp_path: Path, small_pieces: None, parts: list[tuple[int | None, int]], ways: dict[str, int], settled: int
) -> None:
    """A part without an offset follows the one before it."""
    files, expected, end = Ways(**ways), bytearray(), 0
    path = tmp_path / "file"
    fd = files.create_file(path)
    gathered = Gathered(files, path, fd)
    for number, (offset, size) in enumerate(parts):
        start = end if offset is None else offset
        data = body_of(number, size)
        gathered.write(start, data)
        end = start + size
        expected.extend(bytes(max(0, end - len(expected))))
        expected[start:end] = data
        if number == settled:
            gathered.settle()
            assert path.read_bytes() == expected
    gathered.settle()
    gathered.close()
    files.close(fd)
    assert path.read_bytes() == expected
    assert files.direct <= {-1}


def test_a_large_snapshot_goes_past_the_page_cache_but_for_its_ends(tmp_path: Path, small_pieces: None) -> None:
    files, body = Ways(), body_of(1, 30 * PAGE_BYTES + 17)
    writer = SnapshotWriter(tmp_path, files, cluster_id=CLUSTER_ID, index=5)
    for start in range(0, len(body), 1000):
        writer.write(start, [body[start : start + 1000]])
    found = writer.finish(head_of(5, len(body)))
    assert files.pages == 30
    with found.body() as written:
        assert written == body


@pytest.mark.parametrize("seed", range(8))
def test_a_large_one_is_whole_when_that_was_said_whenever_the_power_goes(
    tmp_path: Path, small_pieces: None, seed: int
) -> None:
    chance = random.Random(seed)
    for name in ("peer", "mine"):
        (tmp_path / name).mkdir()
    written, received = JournalingFiles(), JournalingFiles()
    sent = take(tmp_path / "peer", 5, 9 * PAGE_BYTES + chance.randint(0, 9), files=written)
    receiver = SnapshotReceiver(tmp_path / "mine", received, CLUSTER_ID, 5, sent.size_bytes)
    while receiver.missing() < receiver.size_bytes:
        receiver.write(receiver.missing(), sent.read(receiver.missing(), 5000))
    receiver.finish()
    for name, files in (("written", written), ("received", received)):
        for cut_at in range(len(files.journal) + 1):
            folder = tmp_path / f"{name}-{cut_at}"
            restore(folder, files.journal[:cut_at], chance)
            skipped: list[str] = []
            found = newest_snapshot(folder, JournalingFiles(), CLUSTER_ID, skipped)
            assert skipped == []
            assert found is not None or cut_at < len(files.journal)
            assert found is None or found.checksum == sent.checksum
    sent.close()
