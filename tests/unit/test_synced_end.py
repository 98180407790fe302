"""The end of a synced log: whole pages past the page cache, whatever lengths are appended, and another way where there is none."""

from __future__ import annotations

import errno
import mmap
from pathlib import Path

import pytest

from psmr.storage import LogStore, synced_end
from psmr.storage.files import PAGE_BYTES
from tests.unit.direct_support import Ways
from tests.unit.storage_support import append_synced, content, make, make_many, raws, segment_paths

SIZES = (0, 8, 4_000, 4_096, 9_000, 300, 40_000, 16, 100, 270_000, 5)


@pytest.fixture(autouse=True)
def small_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synced_end, "STAGE_BYTES", 4 * PAGE_BYTES)
    monkeypatch.setattr(synced_end, "ZEROS", memoryview(mmap.mmap(-1, 16 * PAGE_BYTES)))


@pytest.mark.parametrize(
    "ways", [{}, {"knows": False}, {"failure": errno.EINVAL}], ids=["direct", "unknown", "refused"]
)
def test_what_is_appended_is_in_the_file(tmp_path: Path, ways: dict[str, int]) -> None:
    files = Ways(**ways)  # type: ignore[arg-type]
    made = [make(index, size=size) for index, size in enumerate(SIZES * 3, 1)]
    with LogStore(tmp_path, True, 500_000, files=files) as store:
        for each in made:
            append_synced(store, [each])
    assert (files.pages > 0) == (not ways)
    assert len(segment_paths(tmp_path)) > 1
    with LogStore(tmp_path, True) as store:
        assert store.recovered is None
        assert content(store) == raws(made)


def test_what_is_cut_off_in_the_middle_of_a_page_is_gone(tmp_path: Path) -> None:
    with LogStore(tmp_path, True) as store:
        append_synced(store, make_many(1, 30, size=700))
        store.truncate(11)
        append_synced(store, make_many(11, 12, term=2, size=5))
        following = make_many(1, 10, size=700) + make_many(11, 12, term=2, size=5)
        assert content(store) == raws(following)
    for sync in (True, False, True):
        with LogStore(tmp_path, sync) as store:
            assert store.recovered is None
            assert content(store) == raws(following)
            following += [make(store.last_index + 1, term=3, size=1_000)]
            append_synced(store, following[-1:])
