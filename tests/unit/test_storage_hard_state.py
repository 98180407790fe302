from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psmr.errors import LogDamaged
from psmr.storage import Files, HardState


class RecordingFiles(Files):
    """Keeps the order of the calls that matter."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def fsync(self, fd: int) -> None:
        self.calls.append("fsync")
        super().fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append("rename")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self.calls.append("sync_folder")
        super().sync_folder(folder)


def test_a_new_folder_is_in_term_zero_without_a_vote(tmp_path: Path) -> None:
    assert HardState(tmp_path).load() == (0, None)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2**64 - 1), st.none() | st.integers(0, 2**62))
def test_what_was_saved_last_is_loaded(tmp_path: Path, term: int, voted_for: int | None) -> None:
    HardState(tmp_path, sync=False).save(term, voted_for)
    assert HardState(tmp_path, sync=False).load() == (term, voted_for)
    assert [path.name for path in tmp_path.iterdir()] == ["hard-state"]


def test_it_is_durable_before_it_is_in_place_and_in_place_before_save_returns(tmp_path: Path) -> None:
    files = RecordingFiles()
    HardState(tmp_path, files=files).save(1, 2)
    assert files.calls == ["fsync", "rename", "sync_folder"]
    files.calls.clear()
    HardState(tmp_path, sync=False, files=files).save(2, 2)
    assert files.calls == ["rename"]


def test_every_flipped_bit_and_every_cut_is_damage(tmp_path: Path) -> None:
    state = HardState(tmp_path, sync=False)
    state.save(7, 2)
    path = tmp_path / "hard-state"
    good = path.read_bytes()
    flips = [good[: bit // 8] + bytes([good[bit // 8] ^ 1 << bit % 8]) + good[bit // 8 + 1 :] for bit in range(256)]
    for bad in [*flips, *(good[:length] for length in range(len(good))), good + b"\0"]:
        path.write_bytes(bad)
        with pytest.raises(LogDamaged, match=r"hard-state: expected .* found .*vote twice.* stop the cluster, "):
            state.load()
    path.write_bytes(good)
    assert state.load() == (7, 2)


def test_a_term_behind_its_log_is_raised_to_it_durably_and_without_a_vote(tmp_path: Path) -> None:
    files = RecordingFiles()
    HardState(tmp_path).save(3, 1)
    state = HardState(tmp_path, files=files)
    assert [state.load(last_term) for last_term in (0, 2, 3)] == [(3, 1)] * 3
    assert files.calls == []
    assert state.load(5) == (5, None)
    assert files.calls == ["fsync", "rename", "sync_folder"]
    assert HardState(tmp_path).load(4) == (5, None)


def test_a_missing_vote_is_not_made_up_from_the_log(tmp_path: Path) -> None:
    """Without the file nothing says in which terms this replica voted: a log beside it is refused later on."""
    assert HardState(tmp_path).load(5) == (0, None)
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_a_crash_cut_short_leaves_the_old_vote(tmp_path: Path) -> None:
    state = HardState(tmp_path)
    state.save(7, 2)
    (tmp_path / "hard-state.new").write_bytes(b"half a vote that is longer than the whole one is")
    assert state.load() == (7, 2)
    state.save(8, None)
    assert state.load() == (8, None)
