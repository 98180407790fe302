"""The files that keep a replica's events: what a crash, a restart, or the removal of old ones leaves of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from power_cut_support import JournalingFiles

from psmr.core.event_format import HEAD
from psmr.core.event_frame import FrameHead, encode_frame, frames
from psmr.errors import LogDamaged
from psmr.storage.event_log import HEADER_BYTES, EventLog, file_name
from psmr.storage.files import Files

CLUSTER_ID = 77
MIB = 1 << 20


def frame(position: int, count: int, size: int = 16, seed: int = 0) -> bytes:
    chance = random.Random(f"{position} {seed}")
    content = b"".join(HEAD.pack(0, size, row) + chance.randbytes(size - 8) for row in range(count))
    return encode_frame(FrameHead(count, len(content), 5 + position, position, 9, 1, position + 1, 3), content)


def some(count: int, first: int = 0, **options: int) -> list[bytes]:
    """Frames of one to five events each, one behind the other."""
    made: list[bytes] = []
    position = first
    for number in range(count):
        made.append(frame(position, 1 + number % 5, **options))
        position += 1 + number % 5
    return made


def opened(folder: Path, start: int = 0, bytes_max: int = 64 * MIB) -> EventLog:
    return EventLog(folder, Files(), cluster_id=CLUSTER_ID, start=start, bytes_max=bytes_max, sync=True)


def fill(log: EventLog, made: list[bytes]) -> None:
    for each in made:
        log.append(each)
    log.flush()


def content(log: EventLog, position: int | None = None, bytes_max: int = 1000) -> bytes:
    """All that is kept from a position on, read as it is asked for: bit by bit."""
    position = log.earliest if position is None else position
    found = b""
    while True:
        part = log.read(position, bytes_max)
        if part == b"":
            return found
        if part is not None:
            found += part
            position = [head for head, _ in frames(part)][-1].end
        else:
            position = max(position, log.earliest)


def test_what_is_appended_is_read_from_any_position(tmp_path: Path) -> None:
    made = some(40)
    log = opened(tmp_path)
    fill(log, made)
    assert (log.earliest, log.end, log.written) == (0, 120, 120)
    assert content(log) == b"".join(made)
    for position in range(120):
        (head, _), *_ = frames(log.read(position, 1) or b"")
        assert head.position <= position < head.end
        assert len(log.read(position, 1) or b"") == head.size_bytes
    assert log.read(120, 1000) == b""
    log.close()


def test_a_frame_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(ValueError, match="expected a frame at position 0, found"):
        log.append(frame(3, 1))
    log.close()


@pytest.mark.parametrize("start", [0, 3])
def test_replay_appends_only_what_is_missing(tmp_path: Path, start: int) -> None:
    made = some(8)
    log = opened(tmp_path)
    fill(log, made[:5])
    log.close()
    again = opened(tmp_path, start)
    assert (again.end, again.written) == (start, start)  # what replay has not come to is not shown
    fill(again, made[2 if start else 0 :])
    assert content(again, 0) == b"".join(made)
    again.close()
    assert (tmp_path / file_name(0)).read_bytes()[HEADER_BYTES:] == b"".join(made)


def test_replay_that_gives_other_events_is_an_error(tmp_path: Path) -> None:
    log = opened(tmp_path)
    fill(log, some(5))
    log.close()
    again = opened(tmp_path, 3)
    again.append(some(5)[2])
    with pytest.raises(LogDamaged, match="expected the events that the log gives again at position 6, found others"):
        again.append(some(5, seed=1)[3])
    again.close()


@pytest.mark.parametrize("start", [0, 3])
def test_without_syncs_the_log_is_right(tmp_path: Path, start: int) -> None:
    """A power cut may take more of an unsynced log than of the events: others are ordered then."""
    log = opened(tmp_path)
    fill(log, some(5))
    log.close()
    again = EventLog(tmp_path, Files(), cluster_id=CLUSTER_ID, start=start, bytes_max=MIB, sync=False)
    others = [*some(3)[2 if start else 0 :], *some(8, seed=1)[3:]]
    for each in others:
        fill(again, [each])
        assert content(again, 0).endswith(each)
    assert content(again, 0) == b"".join([*some(3), *some(8, seed=1)[3:]])
    again.close()
    assert (tmp_path / file_name(0)).read_bytes()[HEADER_BYTES:] == b"".join([*some(3), *some(8, seed=1)[3:]])


def test_a_whole_file_may_have_to_go(tmp_path: Path) -> None:
    made = large(12)
    log = opened(tmp_path, bytes_max=8 * MIB)
    fill(log, made)
    log.close()
    start = int(max(tmp_path.glob("*.evt")).stem.split("-")[1])
    again = EventLog(tmp_path, Files(), cluster_id=CLUSTER_ID, start=start, bytes_max=8 * MIB, sync=False)
    other = frame(start, 3, seed=1)
    fill(again, [other])
    assert content(again, 0) == b"".join([*made[: start // 100], other])
    again.close()


def test_whatever_a_crash_tears_replay_makes_whole(tmp_path: Path) -> None:
    made = some(6)
    whole = b"".join(made)
    synced = HEADER_BYTES + len(made[0]) + len(made[1])
    log = opened(tmp_path)
    fill(log, made)
    log.close()
    path = tmp_path / file_name(0)
    intact = path.read_bytes()
    chance = random.Random(4)
    for cut in range(synced, len(intact) + 1, 13):
        path.write_bytes(intact[:cut] + chance.choice([b"", bytes(40), chance.randbytes(30)]))
        again = opened(tmp_path, 3)
        fill(again, made[2:])
        assert content(again, 0) == whole
        again.close()
        assert path.read_bytes() == intact


def test_a_replica_that_goes_on_later_keeps_from_there_on(tmp_path: Path) -> None:
    log = opened(tmp_path)
    fill(log, some(5))
    log.close()
    again = opened(tmp_path, 1000)
    assert "events kept up to position 15, and this replica goes on at 1000" in again.notice
    assert (again.earliest, again.end) == (1000, 1000)
    with pytest.raises(ValueError, match="expected a position of at least 1000, found 15"):
        again.read(15, 100)
    fill(again, some(3, 1000))
    assert content(again) == b"".join(some(3, 1000))
    again.close()


def test_what_is_removed_is_gone_before_another_file_begins(tmp_path: Path) -> None:
    """Come back after a power cut, it would stand before a gap: what is kept would begin where nothing follows."""
    log = opened(tmp_path)
    fill(log, some(5))
    log.close()
    files = JournalingFiles()
    EventLog(tmp_path, files, cluster_id=CLUSTER_ID, start=1000, bytes_max=64 * MIB, sync=True).close()
    done = [change.kind for change in files.journal]
    assert done.index("unlink") < done.index("sync_folder") < done.index("create")


def large(count: int, first: int = 0) -> list[bytes]:
    """Frames of 100 events and some 200 KB each."""
    return [frame(first + 100 * number, 100, size=2048) for number in range(count)]


def test_the_oldest_files_go_and_the_others_can_be_read(tmp_path: Path) -> None:
    made = large(60)
    log = opened(tmp_path, bytes_max=4 * MIB)
    fill(log, made)
    assert 0 < log.earliest < log.written == 6000
    assert log.size_bytes <= 4 * MIB
    assert content(log) == b"".join(made[log.earliest // 100 :])
    log.sync()
    log.close()
    for start in (0, 5000, 6000):
        again = opened(tmp_path, start, 4 * MIB)
        fill(again, made[start // 100 :] + large(1, 6000))
        assert content(again, bytes_max=300_000) == b"".join([*made[again.earliest // 100 :], *large(1, 6000)])
        again.close()
        _shorten(tmp_path, len(made[0]))


def _shorten(folder: Path, count: int) -> None:
    """Take the last bytes away again."""
    newest = max(folder.glob("*.evt"))
    newest.write_bytes(newest.read_bytes()[:-count])
    if newest.stat().st_size == HEADER_BYTES:
        newest.unlink()


@pytest.mark.parametrize("damage", ["header", "frame", "end"])
def test_what_lies_before_a_damaged_file_is_let_go(tmp_path: Path, damage: str) -> None:
    made = large(18)
    log = opened(tmp_path, bytes_max=8 * MIB)
    fill(log, made)
    log.close()
    _, second, *_ = paths = sorted(tmp_path.glob("*.evt"))
    assert len(paths) >= 3
    intact = second.read_bytes()
    if damage == "header":
        second.write_bytes(bytes(8) + intact[8:])
    elif damage == "frame":
        second.write_bytes(intact[:HEADER_BYTES] + bytes(8) + intact[HEADER_BYTES + 8 :])
    else:
        second.write_bytes(intact[: -len(made[0])])
    again = opened(tmp_path, 1800, 8 * MIB)
    assert again.written == 1800
    found = content(again)
    assert content(again, again.earliest) == b"".join(made[again.earliest // 100 :])
    assert found.endswith(content(again, again.earliest))
    assert again.earliest == int(paths[2].stem.split("-")[1])
    again.close()


def test_a_file_of_another_cluster_is_not_used(tmp_path: Path) -> None:
    log = EventLog(tmp_path, Files(), cluster_id=1, start=0, bytes_max=MIB, sync=False)
    fill(log, some(3))
    log.close()
    again = opened(tmp_path)
    assert again.notice
    assert again.written == 0
    again.close()


def test_a_frame_in_the_middle_of_which_the_log_goes_on_is_not_its(tmp_path: Path) -> None:
    log = opened(tmp_path)
    fill(log, [frame(0, 2), frame(2, 4)])
    log.close()
    again = opened(tmp_path, start=3)
    assert (again.earliest, again.written) == (3, 3)
    assert "they are removed" in again.notice
    fill(again, [frame(3, 1)])
    assert content(again) == frame(3, 1)
    again.close()
