"""A capture is the state at its position, whatever is executed meanwhile; restored, it goes on as the original does."""

from __future__ import annotations

import ctypes
import random
import threading
from typing import Any

import numpy as np
import pytest
from capture_service import WORDS, Halting, Kept, go_on, inside, kept_call
from captured import RING_BYTES, Body, Driver, capture, started
from execution_support import Batch
from random_calls import random_log
from twin import Fault, Twin

from cdep.groups import group_of
from cdep.hashing import group_of_u64
from psmr.errors import LogDamaged
from psmr.execution import capture as captures
from psmr.execution import layout as at
from psmr.execution.capture import Capture, CaptureAbandoned
from psmr.execution.engine import Engine
from psmr.state import frame as frames
from psmr.state.frame import undo
from psmr.state.synchronised import store

CALLS = 400
FORMS = [(1, True), (2, True), (3, True), (1, False), (2, False), (3, False)]


def log_of(seed: int, calls: int = CALLS) -> list[Batch]:
    return random_log(kept_call, seed, calls)


def captured_rightly(workers: int, compiled: bool, seed: int, patched: pytest.MonkeyPatch, **options: Any) -> None:
    """A random log, captured at a random place. Raises AssertionError or LogDamaged if anything differs from an undisturbed run."""
    log = log_of(seed)
    first = random.Random(seed).randrange(1, len(log) // 3)
    with started(Kept, 1, compiled=False) as engine:
        driver = Driver(engine, log)
        driver.finish(first)
        at_first = engine.digest()
        replies, at_last = driver.finish(), engine.digest()
        digests = _command_digests(engine)
    with started(Kept, workers, compiled=compiled, **options) as engine:
        driver = Driver(engine, log, random.Random(seed))
        driver.finish(first)
        with patched.context() as patches:
            body, result = capture(driver, patches)
        assert driver.given > first, "nothing was executed during the capture"
        assert result.digest == at_first
        assert (driver.finish(), engine.digest()) == (replies, at_last)
        assert _command_digests(engine) == digests
        with patched.context() as patches:
            assert capture(driver, patches)[1].digest == at_last, "a second capture, with nothing executed meanwhile"
    restored = Engine(
        Kept, 2, compiled=compiled, ring_bytes=RING_BYTES, spin=20, patience=0, choose=lambda synchronous, count: 2
    )
    try:
        restored.restore(memoryview(body.content), at_first)
        assert restored.digest() == at_first
        restored.start()
        assert (Driver(restored, log, given=first).finish(), restored.digest()) == (replies[first:], at_last)
        # Its maps have other indexes: made anew, not grown.
        assert _command_digests(restored) == digests[8 * sum(map(len, log[:first])) :]
    finally:
        restored.close()


def _command_digests(engine: Engine) -> bytes:
    assert engine.row_digests is not None
    return engine.row_digests.read(0, engine.row_digests.count) or b""


@pytest.mark.parametrize(("workers", "compiled"), FORMS)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_a_capture_is_the_state_at_its_position(
    workers: int, compiled: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured_rightly(workers, compiled, seed, monkeypatch)


_NOTES = "psmr.execution.notes"
FAULTS = [
    Fault("the last old word", _NOTES, "if load_i64(record + 16) < order[offset >> 3]:", "if order[offset >> 3]:"),
    Fault(
        "the last of a command",
        _NOTES,
        "if load_i64(record + 16) < order[offset >> 3]:",
        "if load_i64(record + 16) <= order[offset >> 3]:",
    ),
    Fault(
        "the old word found first",
        _NOTES,
        "if load_i64(record + 16) < order[offset >> 3]:",
        "if order[offset >> 3] == _LAST:",
    ),
    Fault("no notes for later sections", _NOTES, "if section < current or", "if section != current or"),
    Fault("full chunks forgotten", _NOTES, "store_i64(chunk, fresh)", "heads[section] = fresh"),
    Fault("nothing put back", _NOTES, "store_i64(copied + offset, load_i64(record + 8))", "pass"),
]


def _words() -> dict[str, Any]:
    """What compiled code does with memory, interpreted."""
    word = ctypes.c_int64.from_address

    def store(address: int, value: int) -> None:
        word(int(address)).value = int(value)

    return {
        "load_i64": lambda address: word(int(address)).value,
        "store_i64": store,
        "copy_bytes": lambda target, source, length: ctypes.memmove(int(target), int(source), int(length)),
        "clear_bytes": lambda target, length: ctypes.memset(int(target), 0, int(length)),
    }


def use_twin(patched: pytest.MonkeyPatch, *faults: Fault) -> None:
    twin = Twin({_NOTES}, {"psmr.state.words": _words()}, faults).module(_NOTES)
    for name in ("patch", "sort_notes", "free_chain"):
        patched.setattr(captures, name, getattr(twin, name))


def test_the_twin_without_faults_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    use_twin(monkeypatch)
    captured_rightly(2, True, 3, monkeypatch)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several logs, for what the workers do meanwhile depends on the processors: a fault may not show in the first."""
    use_twin(monkeypatch, fault)

    def capture_several() -> None:
        for seed in range(3, 13):
            captured_rightly(2, True, seed, monkeypatch)

    with pytest.raises((AssertionError, LogDamaged)):
        capture_several()


def captured_at_a_halt(*, waits: bool = True) -> bool:
    """Whether a capture is right that copies a cell while a command has changed it that then fails."""
    inside.clear()
    go_on.clear()
    with started(Halting, 1, compiled=False) as engine:
        Driver(engine, [[("write", (1, 5))]]).finish()
        digest = engine.digest()
        under_way = engine.capture()
        driver = Driver(engine, [[("halt", (1,))], [("write", (1, 6))]])
        driver.offer()
        assert inside.wait(60)
        wait = under_way._wait_for_command

        def wait_once_copied(commands: int) -> None:
            if waits:
                go_on.set()
                wait(commands)

        under_way._wait_for_command = wait_once_copied  # type: ignore[method-assign]
        result = under_way.write(lambda offset, piece: None)
        engine.end_capture()
        go_on.set()
        driver.finish()
        return result.digest == digest


def test_what_a_failing_command_takes_back_is_not_captured() -> None:
    assert captured_at_a_halt()


def test_it_would_be_if_the_copying_thread_did_not_wait() -> None:
    assert not captured_at_a_halt(waits=False)


def test_it_would_be_if_a_failing_command_kept_no_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    def undo_and_forget(frame: int) -> None:
        noting = ctypes.c_int64.from_address(frame + frames.NOTING)
        before, noting.value = noting.value, 0
        undo(frame)
        noting.value = before
        frames.keep_notes(frame)

    monkeypatch.setattr("psmr.execution.interpreted.undo", undo_and_forget)
    assert not captured_at_a_halt()


def captured_between_looks(patched: pytest.MonkeyPatch) -> bool:
    """Whether a capture is right when one worker is looked at before, and another after, commands of both on one word."""
    low, high = (next(row for row in range(64) if group_of(row) % 2 == worker) for worker in range(2))
    with started(Halting, 2, compiled=False) as engine:
        Driver(engine, [[("write", (row, 7))] for row in range(64)]).finish()
        digest = engine.digest()
        driver = Driver(engine, [[("tie", (low, high))], [("write", (high, 8))]])
        look_at = Capture._look_at

        def look(self: Capture, worker: int, current: int) -> None:
            if worker == 1:
                driver.finish()
            look_at(self, worker, current)

        with patched.context() as patches:
            patches.setattr(Capture, "_look_at", look)
            result = engine.capture().write(lambda offset, piece: None)
        engine.end_capture()
        return result.digest == digest


def test_notes_of_one_look_need_those_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert captured_between_looks(monkeypatch)
    look, looks = Capture._look, []

    def first_look_only(self: Capture, current: int) -> None:
        looks.append(current)
        if len(looks) % 2:
            look(self, current)

    monkeypatch.setattr(Capture, "_look", first_look_only)
    assert not captured_between_looks(monkeypatch)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_without_room_for_notes_wait_and_go_on(workers: int) -> None:
    log = log_of(5)
    with started(Kept, workers) as engine:
        expected = Driver(engine, log).finish(), engine.digest()
    with started(Kept, workers, notes_bytes=0) as engine:
        at_first = engine.digest()
        driver = Driver(engine, log)
        under_way = engine.capture()
        for _ in range(len(log)):
            driver.offer()
        assert not engine.settle(0.3), "expected workers that have no room left, found that they are done"
        result = under_way.write(lambda offset, piece: None)
        engine.end_capture()
        assert result.digest == at_first
        assert (driver.finish(), engine.digest()) == expected
        captured = engine.capture().write(lambda offset, piece: None)
        assert captured.digest == engine.digest()


@pytest.mark.parametrize("over", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_largest_command_is_as_large_during_a_capture(over: int) -> None:
    # Two more writes of one word each would not fit behind another command's notes, were the room not looked at before.
    log: list[Batch] = [[("put", (1, 1)), ("flood", (frames.UNDO_ENTRIES + over,)), ("put", (2, 2))]]
    with started(Kept, 1, notes_bytes=0) as engine:
        expected = Driver(engine, log).finish(), engine.digest()
    with started(Kept, 1, notes_bytes=0) as engine:
        at_first = engine.digest()
        under_way = engine.capture()
        driver = Driver(engine, log)
        driver.offer()
        result = under_way.write(lambda offset, piece: None)
        engine.end_capture()
        assert result.digest == at_first
        assert (driver.finish(), engine.digest()) == expected
    assert (b"CommandTooLarge" in expected[0][0]) == bool(over)


def test_memory_of_notes_is_given_back() -> None:
    log = log_of(7)
    with started(Kept, 1) as engine:
        under_way = engine.capture()
        driver = Driver(engine, log)
        driver.finish()
        (place,), size = engine.memory.notes, engine.memory.notes_bytes
        assert [*engine.memory.region.allocated(place, size)]
        under_way.write(lambda offset, piece: None)
        engine.end_capture()
        assert not [*engine.memory.region.allocated(place, size)]


def test_a_capture_that_is_ended_too_early_says_so() -> None:
    with started(Kept, 1) as engine:
        Driver(engine, log_of(8)).finish()
        under_way = engine.capture()
        engine.end_capture()
        with pytest.raises(CaptureAbandoned):
            under_way.write(lambda offset, piece: None)


def test_a_capture_does_not_outlive_its_engine() -> None:
    with started(Halting, 1, compiled=False) as engine:
        inside.clear()
        go_on.clear()
        Driver(engine, [[("write", (1, 5))]]).finish()
        under_way = engine.capture()
        Driver(engine, [[("halt", (1,))]]).offer()
        assert inside.wait(60)
        found: list[BaseException] = []

        def write() -> None:
            try:
                under_way.write(lambda offset, piece: None)
            except CaptureAbandoned as error:
                found.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        store(engine.memory.control + at.STOPPING, 1)
        thread.join(60)
        go_on.set()
        assert len(found) == 1


def test_one_capture_at_a_time_of_an_idle_engine() -> None:
    with started(Kept, 1) as engine:
        with pytest.raises(ValueError, match="found none"):
            engine.end_capture()
        engine.capture()
        with pytest.raises(ValueError, match="no other capture"):
            engine.capture()
        engine.end_capture()
        with pytest.raises(ValueError, match="not started"):
            engine.restore(memoryview(b""), 0)


def test_a_body_that_is_not_the_services_is_refused() -> None:
    with started(Kept, 1) as engine:
        Driver(engine, log_of(9)).finish()
        body, digest = Body(), engine.digest()
        engine.capture().write(body.put)
    content = bytes(body.content)
    cases = [(content, digest ^ 1), (content[:-8], digest), (content + bytes(8), digest), (content[:-3], digest)]
    cases += [(content[:8], digest), (b"", digest), (b"\xff" * len(content), digest), (b"\7" * len(content), digest)]
    for place in range(0, len(content), 9001):
        cases.append((content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :], digest))
    for damaged, expected in cases:
        engine = Engine(Kept, 2, compiled=False, ring_bytes=RING_BYTES)
        with pytest.raises(LogDamaged):
            engine.restore(memoryview(damaged), expected)
        engine.close()


@pytest.mark.parametrize("compiled", [True, False])
def test_what_a_map_held_before_it_was_cleared_is_in_no_digest(compiled: bool) -> None:
    """Keys and values shorter than those before them lie where those did: whoever restored has nothing there."""
    before: list[Batch] = [[("name", (word, b"x" * 12)) for word in WORDS if word], [("forget", ())]]
    log = [*before, [("name", (word[:2], b"yy")) for word in WORDS if word]]
    with started(Kept, 2, compiled=compiled) as engine:
        driver = Driver(engine, log)
        driver.finish(len(before))
        body = Body()
        digest = engine.capture().write(body.put).digest
        engine.end_capture()
        replies, at_last = driver.finish(), engine.digest()
    restored = Engine(
        Kept, 2, compiled=compiled, ring_bytes=RING_BYTES, spin=20, patience=0, choose=lambda synchronous, count: 2
    )
    try:
        restored.restore(memoryview(body.content), digest)
        restored.start()
        found = Driver(restored, log, given=len(before))
        assert (found.finish(), restored.digest()) == (replies[len(before) :], at_last)
    finally:
        restored.close()


def test_an_index_that_is_made_anew_is_in_no_command_digest() -> None:
    """One that has grown and lost its keys again stays large; the one of a replica that begins with a snapshot is small."""
    keys = [key for key in range(4000) if group_of_u64(np.uint64(key)) == 3][:30]
    before: list[Batch] = [[("put", (key, 1)) for key in keys], [("remove", (key,)) for key in keys[:-4]]]
    log = [*before, [("put", (key, 2)) for key in keys[:12]], [("remove", (key,)) for key in keys[4:]]]
    with started(Kept, 2, compiled=False) as engine:
        driver = Driver(engine, log)
        driver.finish(len(before))
        body = Body()
        digest = engine.capture().write(body.put).digest
        engine.end_capture()
        driver.finish()
        digests = _command_digests(engine)
    restored = Engine(Kept, 1, compiled=False, ring_bytes=RING_BYTES, spin=20)
    try:
        restored.restore(memoryview(body.content), digest)
        restored.start()
        Driver(restored, log, given=len(before)).finish()
        assert _command_digests(restored) == digests[8 * sum(map(len, before)) :]
    finally:
        restored.close()
