"""Streams of events go past the page cache, by a thread: what is read meanwhile, and left by a crash, is what was taken."""

from __future__ import annotations

import errno
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from direct_support import Ways
from test_event_log import CLUSTER_ID, content, some

from psmr.core.event_frame import head_at
from psmr.errors import DiskFailed
from psmr.storage.event_log import HEADER_BYTES, EventLog, file_name
from psmr.storage.event_tail import TURNS_MAX
from psmr.storage.files import PAGE_BYTES, Files


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmr.storage.gathered.GATHERED_BYTES", 2 * PAGE_BYTES)
    monkeypatch.setattr("psmr.storage.event_tail.STREAM_BYTES", 500)
    monkeypatch.setattr("psmr.storage.event_tail.PIECE_BYTES", 3000)
    monkeypatch.setattr("psmr.storage.event_tail.HELD_BYTES_MAX", 9000)
    monkeypatch.setattr("psmr.storage.event_tail.RECENT_BYTES", 5000)


def opened(folder: Path, files: Files, start: int = 0) -> EventLog:
    return EventLog(folder, files, cluster_id=CLUSTER_ID, start=start, bytes_max=64 << 20, sync=True)


def turns(made: list[bytes], seed: int) -> list[list[bytes]]:
    """The frames in runs, as turns of a loop bring them: many, few or none."""
    chance, found, at = random.Random(seed), list[list[bytes]](), 0
    while at < len(made):
        found.append(made[at : at + chance.choice([0, 1, 2, 8, 40])])
        at += len(found[-1])
    return found


def take(log: EventLog, frames: Sequence[bytes]) -> None:
    """One turn."""
    for each in frames:
        log.append(each)
    log.flush()


@pytest.mark.parametrize(
    "ways", [{}, {"knows": False}, {"failure": errno.EINVAL}], ids=["direct", "unknown", "refused"]
)
@pytest.mark.parametrize("seed", range(4))
def test_all_that_was_taken_is_read_at_once_and_in_the_file_once_settled(
    tmp_path: Path, ways: dict[str, int], seed: int
) -> None:
    files, made, chance = Ways(**ways), some(900), random.Random(seed)
    log, taken = opened(tmp_path, files), list[bytes]()
    for frames in turns(made, seed):
        take(log, frames)
        taken += frames
        first = chance.randrange(len(taken) + 1)
        if first < len(taken):
            head = head_at(taken[first])
            assert head is not None
            assert content(log, head.position + chance.randrange(head.count)) == b"".join(taken[first:])
        if chance.random() < 0.05:
            log.settle()
            assert (tmp_path / file_name(0)).read_bytes()[HEADER_BYTES:] == b"".join(taken)
    log.close()
    assert (tmp_path / file_name(0)).read_bytes()[HEADER_BYTES:] == b"".join(made)
    assert (files.pages > 0) == (not ways)


@pytest.mark.parametrize("seed", range(4))
def test_what_a_crash_takes_replay_makes_again(tmp_path: Path, seed: int) -> None:
    made, files = some(400), Ways()
    log = opened(tmp_path / "running", files)
    for frames in [*turns(made[:280], seed), made[280:300]]:
        take(log, frames)
    shutil.copytree(tmp_path / "running", tmp_path / "left")
    log.close()
    left = (tmp_path / "left" / file_name(0)).read_bytes()
    assert len(left) < HEADER_BYTES + sum(map(len, made[:300]))
    again = opened(tmp_path / "left", files)
    for frames in turns(made, seed + 1):
        take(again, frames)
        assert again.written == again.end
    assert content(again) == b"".join(made)
    again.close()
    assert (tmp_path / "left" / file_name(0)).read_bytes()[HEADER_BYTES:] == b"".join(made)


def test_a_stream_that_ends_is_written(tmp_path: Path) -> None:
    log, made = opened(tmp_path, Ways()), some(20)
    take(log, made)
    path = tmp_path / file_name(0)
    assert path.stat().st_size == HEADER_BYTES
    for _ in range(TURNS_MAX):
        take(log, [])
    assert path.read_bytes()[HEADER_BYTES:] == b"".join(made)
    log.close()


def test_a_disk_that_fails_in_the_thread_is_told_of_and_stays_so(tmp_path: Path) -> None:
    log, made = opened(tmp_path, Ways(failure=errno.EIO)), some(600)
    take(log, made[:60])
    take(log, made[60:100])  # more than is gathered; whoever writes it, nobody waits
    for _ in range(2):
        with pytest.raises(DiskFailed, match="writing events"):
            log.settle()
    with pytest.raises(DiskFailed, match="writing events"):
        log.close()
    again = opened(tmp_path, Ways())
    take(again, made)
    assert content(again) == b"".join(made)
    again.close()
