"""Between delivery and the files of events: frames, answers, and what must be on the disk before a snapshot counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from psmr import Map, StateMachine, partially_dependent, u64
from psmr.core.event_format import HEAD
from psmr.core.event_frame import HEADER_BYTES, PART_BYTES, frames
from psmr.core.sessions import Sessions
from psmr.errors import DiskFailed, Refused
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed
from psmr.log.port import Base
from psmr.replica.event_stream import ANSWERS_A_TURN, ASKS_MAX, PATIENCE_US, EventAsks, EventStream
from psmr.replica.snapshot_content import restore
from psmr.replica.snapshot_thread import SnapshotFolder, SnapshotThread
from psmr.storage import newest_snapshot
from psmr.storage.event_log import EventLog
from psmr.storage.files import Files
from psmr.transport.client_protocol import AskEvents

CLUSTER_ID = 5


class Counter(StateMachine):
    """Something to take a snapshot of."""

    counts = Map(u64, u64, capacity=64)

    @partially_dependent("key")
    def add(self, key: u64) -> u64:
        """Never called."""
        return key


def stream_in(folder: Path, position: int = 0, files: Files | None = None) -> EventStream:
    log = EventLog(folder, files or Files(), cluster_id=CLUSTER_ID, start=position, bytes_max=8 << 20, sync=True)
    return EventStream(position, 77, log)


def executed(count: int, sequence: int = 1) -> Executed:
    return Executed(9, sequence, b"", False, b"".join(HEAD.pack(0, 8, row) for row in range(count)), count)


def test_a_batch_becomes_frames_of_a_bounded_size(tmp_path: Path) -> None:
    stream = stream_in(tmp_path)
    most = PART_BYTES // 8
    stream.take(3, 1000, executed(2, 1))
    stream.take(3, 1000, executed(0, 2))
    stream.take(4, 2000, executed(most + 5, 3))
    stream.flush()
    assert stream.position == most + 7
    assert stream.log is not None
    found = [head for head, _ in frames(stream.log.read(0, 1 << 20) or b"")]
    places = [(head.index, head.position, head.count, head.sequence, head.now_us) for head in found]
    assert places == [(3, 0, 2, 1, 1000), (4, 2, most, 3, 2000), (4, 2 + most, 5, 3, 2000)]
    assert {head.fingerprint for head in found} == {77}
    assert max(head.size_bytes for head in found) == HEADER_BYTES + PART_BYTES
    stream.close()


def ask(asks: EventAsks, position: int, now_us: int = 0) -> None:
    asks.take(b"%d" % position, AskEvents(77, position, 1 << 20), now_us)


def test_who_asks_is_answered_when_there_is_something_or_after_a_while(tmp_path: Path) -> None:
    stream = stream_in(tmp_path, 10)
    asks = EventAsks(stream)
    ask(asks, 10)
    ask(asks, 5)
    ((connection, gone),) = asks.answers(1)
    assert (connection, gone.earliest, gone.frames) == (b"5", 10, b"")
    assert asks.next_due_us == PATIENCE_US
    assert not asks.answers(PATIENCE_US - 1)
    stream.take(3, 1000, executed(2))
    stream.flush()
    ((connection, found),) = asks.answers(2)
    assert (connection, found.position, found.end) == (b"10", 10, 12)
    assert len(list(frames(found.frames))) == 1
    ask(asks, 12, 100)
    ((connection, nothing),) = asks.answers(100 + PATIENCE_US)
    assert (connection, nothing.end, nothing.frames) == (b"12", 12, b"")
    stream.close()


def test_a_turn_answers_a_few_and_the_next_turn_goes_on(tmp_path: Path) -> None:
    stream = stream_in(tmp_path)
    stream.take(3, 1000, executed(20))
    stream.flush()
    asks = EventAsks(stream)
    for position in range(2 * ANSWERS_A_TURN):
        ask(asks, position)
    assert len(asks.answers(1)) == ANSWERS_A_TURN
    assert asks.wants_turn
    assert len(asks.answers(1)) == ANSWERS_A_TURN
    assert not asks.wants_turn
    stream.close()


def test_no_events_and_too_many_questions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="declares no events"):
        ask(EventAsks(EventStream(0, 77, None)), 0)
    stream = stream_in(tmp_path)
    asks = EventAsks(stream)
    for position in range(ASKS_MAX):
        ask(asks, position)
    with pytest.raises(Refused, match="wait for events already"):
        ask(asks, 0)
    stream.close()


class Failing(Files):
    """A disk that takes no sync of an event file, from some time on."""

    fails = False
    synced = 0

    def fdatasync(self, fd: int) -> None:
        if self.fails:
            raise OSError(5, "no sync")
        self.synced += 1


def snapshot(folder: Path, stream: EventStream) -> str:
    """Take one at log index 4; how it failed."""
    engine = Engine(Counter, 1)
    thread = SnapshotThread(SnapshotFolder(folder, Files(), CLUSTER_ID, None), engine.service.fingerprint)
    try:
        thread.follow(stream)
        newest, remembered = Sessions().remembered()
        thread.begin(Base(4, 1, 0, b""), newest, remembered, engine.capture(), None)
        while (taken := thread.finished()) is None:
            pass
        engine.end_capture()
        return taken.failure
    finally:
        thread.close()
        engine.close()


def test_a_snapshot_counts_once_all_events_before_it_are_on_the_disk(tmp_path: Path) -> None:
    disk = Failing()
    stream = stream_in(tmp_path / "events", files=disk)
    stream.take(3, 1000, executed(6))
    assert snapshot(tmp_path, stream) == ""
    assert disk.synced == 1
    found = newest_snapshot(tmp_path, Files(), CLUSTER_ID, [])
    assert found is not None
    engine = Engine(Counter, 1)
    try:
        assert restore(found, engine)[2] == 6
    finally:
        engine.close()
        found.close()
    stream.take(5, 1000, executed(1, 2))
    disk.fails = True
    assert "no sync" in snapshot(tmp_path, stream)
    disk.fails = False
    assert stream.log is not None
    with pytest.raises(DiskFailed):
        stream.log.sync()  # pages that were not written may be gone: what fails once is not tried again
    stream.close()
