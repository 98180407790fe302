"""Processes that share memory pass values and wake each other, many thousands of times; a guard bounds what would hang."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import pytest

from cdep.compiled import compiled
from psmr.execution import layout as at
from psmr.execution.waiting import rouse, wait_until
from psmr.state.atomics import add_atomic, fence, load_acquire, relax, sleep_while, store_release
from psmr.state.region import Region
from psmr.state.words import load_i64, store_i64

GUARD_S = 120.0
SPINS = 1_000
"""After so many in vain the processor is given away: whoever is waited for may need it."""
NAP_NS = 50_000
VALUES = 100_000
SLEEPS = 4_000
ADDITIONS = 200_000


@compiled
def spin(word: int, spins: int) -> None:
    """Wait a moment for another process to write the word; `spins`: how often that was done already."""
    relax()
    if spins % SPINS == SPINS - 1:
        sleep_while(word, load_acquire(word), NAP_NS)


@compiled
def pass_values(mine: int, theirs: int, payload: int, count: int, first: int) -> int:
    """Take turns: read what the other wrote without any order of its own, check it, write the next. Wrong values, counted."""
    wrong = 0
    for turn in range(first, 2 * count, 2):
        spins = 0
        while load_acquire(theirs) < turn:
            spin(theirs, spins)
            spins += 1
            if spins > 200_000_000:
                return -1
        for word in range(8):
            if load_i64(payload + 8 * word) != turn * (word + 1):
                wrong += 1
        for word in range(8):
            store_i64(payload + 8 * word, (turn + 1) * (word + 1))
        store_release(mine, turn + 1)
    return wrong


@compiled
def add_often(word: int, count: int) -> None:
    for _ in range(count):
        add_atomic(word, 1)


@compiled
def store_then_look(mine: int, theirs: int, ready: int, seen: int, count: int) -> None:
    """Both store, fence, and look at the other's word: at least one of them sees the other's store."""
    for round_ in range(1, count + 1):
        add_atomic(ready, 1)
        spins = 0
        while load_acquire(ready) < 2 * round_:
            spin(ready, spins)
            spins += 1
        store_release(mine, round_)
        fence()
        store_i64(seen + 8 * round_, load_acquire(theirs))


@compiled
def sleep_and_wake(frame: int, mine: int, theirs: int, partner: int, count: int, first: int) -> bool:
    """Take turns through `wait_until` and `rouse`, never spinning: every turn is a sleep and a wake-up."""
    control = load_i64(frame + at.FRAME_CONTROL)
    for turn in range(first, 2 * count, 2):
        if not wait_until(frame, theirs, turn):
            return False
        store_release(mine, turn + 1)
        rouse(control, partner)
    return True


@compiled
def wait_for_many(frame: int, words: int, others: int, count: int, answer: int) -> bool:
    """Wait for each of several processes in turn, and answer them all at once."""
    control = load_i64(frame + at.FRAME_CONTROL)
    for turn in range(1, count + 1):
        for other in range(1, others + 1):
            if not wait_until(frame, words + at.LINE_BYTES * other, turn):
                return False
        store_release(answer, turn)
        for other in range(1, others + 1):
            rouse(control, other)
    return True


@compiled
def tell_and_wait(frame: int, word: int, count: int, answer: int) -> bool:
    control = load_i64(frame + at.FRAME_CONTROL)
    for turn in range(1, count + 1):
        store_release(word, turn)
        rouse(control, 0)
        if not wait_until(frame, answer, turn):
            return False
    return True


class Shared:
    """A control block, a frame for each process, and words, each on lines of its own."""

    def __init__(self, processes: int) -> None:
        self.region = Region(64 * 4096 + 8 * (VALUES + 1) * 2)
        self.control = self.region.take(at.CONTROL_BYTES)
        self.frames = [self.region.take(at.FRAME_TOTAL_BYTES) for _ in range(processes)]
        self.words = self.region.take(4096)
        self.results = self.region.take(4096)
        self.room = [self.region.take(8 * (VALUES + 1)) for _ in range(2)]
        for number, frame in enumerate(self.frames):
            self.set(frame + at.FRAME_CONTROL, self.control)
            self.set(frame + at.FRAME_WORKER, number)

    def line(self, number: int) -> int:
        return self.words + at.LINE_BYTES * number

    def set(self, address: int, value: int) -> None:
        self.region.words[(address - self.region.address) >> 3] = value

    def result(self, number: int) -> int:
        return self.region.word(self.results + 8 * number)


@contextmanager
def forked(shared: Shared, *jobs: Callable[[], Any]) -> Iterator[list[BaseProcess]]:
    """Each job in a process of its own; its result in `shared.results`. None is left."""

    def work(number: int, job: Callable[[], Any]) -> None:
        shared.set(shared.results + 8 * number, 1 + int(job() or 0))

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work, args=entry, daemon=True) for entry in enumerate(jobs)]
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def run(shared: Shared, *jobs: Callable[[], Any]) -> list[int]:
    """The results of all jobs; a job that hangs fails the test."""
    with forked(shared, *jobs) as processes:
        for process in processes:
            process.join(GUARD_S)
        assert [process.exitcode for process in processes] == [0] * len(processes)
    return [shared.result(number) - 1 for number in range(len(jobs))]


@pytest.fixture(scope="module", autouse=True)
def compiled_before_the_fork() -> None:
    """No process compiles while another waits for it."""
    shared = Shared(2)
    frame, line = shared.frames[0], shared.line(0)
    pass_values(line, line, line, 0, 0)
    add_often(line, 0)
    store_then_look(line, line, line, line, 0)
    sleep_and_wake(frame, line, line, 0, 0, 0)
    wait_for_many(frame, line, 0, 0, line)
    tell_and_wait(frame, line, 0, line)


def test_what_was_stored_before_a_release_is_seen_after_its_acquire() -> None:
    shared = Shared(2)
    left, right, payload = shared.line(0), shared.line(1), shared.line(2)
    wrong = run(
        shared,
        lambda: pass_values(left, right, payload, VALUES // 4, 0),
        lambda: pass_values(right, left, payload, VALUES // 4, 1),
    )
    assert wrong == [0, 0]


def test_of_two_that_store_and_look_one_sees_the_other() -> None:
    shared = Shared(2)
    left, right, ready = shared.line(0), shared.line(1), shared.line(2)
    run(
        shared,
        lambda: store_then_look(left, right, ready, shared.room[0], VALUES // 4),
        lambda: store_then_look(right, left, ready, shared.room[1], VALUES // 4),
    )
    seen = [np.frombuffer(shared.region.at(room, 8 * (VALUES // 4 + 1)), "<i8") for room in shared.room]
    rounds = np.arange(VALUES // 4 + 1)
    assert np.all((seen[0] >= rounds) | (seen[1] >= rounds))


def test_no_addition_is_lost() -> None:
    shared = Shared(3)
    run(shared, *[lambda: add_often(shared.line(0), ADDITIONS)] * 3)
    assert shared.region.word(shared.line(0)) == 3 * ADDITIONS


@pytest.mark.parametrize("spins", [0, 3, 2000])
def test_two_processes_put_each_other_to_sleep_and_wake_each_other(spins: int) -> None:
    shared = Shared(2)
    for frame in shared.frames:
        shared.set(frame + at.FRAME_SPIN, spins)
    left, right = shared.line(0), shared.line(1)
    done = run(
        shared,
        lambda: sleep_and_wake(shared.frames[0], left, right, 1, SLEEPS, 0),
        lambda: sleep_and_wake(shared.frames[1], right, left, 0, SLEEPS, 1),
    )
    assert done == [True, True]


def test_several_processes_wake_one() -> None:
    shared = Shared(5)
    words, answer = shared.line(0), shared.line(6)
    done = run(
        shared,
        lambda: wait_for_many(shared.frames[0], words, 4, SLEEPS // 4, answer),
        *[
            lambda number=number: tell_and_wait(shared.frames[number], shared.line(number), SLEEPS // 4, answer)
            for number in range(1, 5)
        ],
    )
    assert done == [True] * 5


def test_whoever_waits_ends_when_the_workers_are_stopped() -> None:
    shared = Shared(2)
    shared.set(shared.control + at.STOPPING, 1)
    rouse(shared.control, 0)
    assert run(shared, lambda: wait_until(shared.frames[0], shared.line(0), 1)) == [False]
