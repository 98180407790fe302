"""Waiting for a word to grow: spin briefly, then sleep; and waking who sleeps.

Sleeper                            Waker
    asleep = 1, or 2                   word = value   (release)
    fence                              fence
    if word >= wanted: do not sleep    if asleep: alarm += 1; futex_wake(alarm)
    futex_wait(alarm, as read before)

It is 2 who sleeps until replies are collected: whoever collects wakes nobody else (`rouse_for_room`).

Either the sleeper sees the word or the waker sees `asleep`; and if the wake comes before the wait, `alarm` has changed and
the wait returns at once. Several may wake one worker at a time, so `alarm` is added to atomically: a waker that stored what
it had read a while ago plus one could bring back the very value that the sleeper is about to wait on. The sleep is bounded
all the same: a lost wake-up costs a delay, never a hang.
"""

from __future__ import annotations

from cdep.compiled import compiled, inlined
from psmr.execution.layout import (
    ALARM,
    ASLEEP,
    COLLECTED,
    FRAME_BOUND,
    FRAME_CLOCK,
    FRAME_CONTROL,
    FRAME_SLOT,
    FRAME_SPIN,
    FRAME_WAITS,
    FRAME_WORKER,
    PATIENCE,
    STOPPING,
    WAIT_BOUND,
    WAIT_BYTES,
    WAIT_LEAST,
    WAIT_NS,
    WAIT_SLOT,
    WAIT_WORD,
    WAITS_COUNT,
    WAITS_HEAD_BYTES,
    WAITS_NS,
    WAITS_ROOM,
    WORKER_BYTES,
    WORKERS,
)
from psmr.state.atomics import add_atomic, fence, load_acquire, monotonic_ns, relax, sleep_while, store_release, wake
from psmr.state.words import load_i64, store_i64

NAP_NS = 250_000_000
_FOR_WORK = 1
_FOR_ROOM = 2


@inlined
def line_of(control: int, worker: int) -> int:
    """The address of a worker's words in the control block."""
    return control + WORKERS + worker * WORKER_BYTES


@compiled
def wait_until(frame: int, word: int, least: int) -> bool:
    """Wait until the word is at least `least`; False when the workers are to end instead."""
    if load_i64(frame + FRAME_WAITS) == 0:
        return _wait_until(frame, word, least)
    if load_acquire(word) >= least:
        return True
    began_ns = monotonic_ns(frame + FRAME_CLOCK)
    goes_on = _wait_until(frame, word, least)
    _note(frame, word, least, monotonic_ns(frame + FRAME_CLOCK) - began_ns)
    return goes_on


@compiled
def _note(frame: int, word: int, least: int, waited_ns: int) -> None:
    """Write a wait down; its time counts even where there is no room for more of it."""
    waits = load_i64(frame + FRAME_WAITS)
    count = load_i64(waits + WAITS_COUNT)
    store_i64(waits + WAITS_COUNT, count + 1)
    store_i64(waits + WAITS_NS, load_i64(waits + WAITS_NS) + waited_ns)
    if count < load_i64(waits + WAITS_ROOM):
        entry = waits + WAITS_HEAD_BYTES + count * WAIT_BYTES
        store_i64(entry + WAIT_WORD, word - load_i64(frame + FRAME_CONTROL))
        store_i64(entry + WAIT_LEAST, least)
        store_i64(entry + WAIT_SLOT, load_i64(frame + FRAME_SLOT))
        store_i64(entry + WAIT_BOUND, load_i64(frame + FRAME_BOUND))
        store_i64(entry + WAIT_NS, waited_ns)


@compiled
def note_decision(frame: int, word: int, least: int) -> None:
    """Where waits are written down, the row at the bound is, too: who decides it may have to wait for nobody."""
    if load_i64(frame + FRAME_WAITS) != 0:
        _note(frame, word, least, 0)


@compiled
def _wait_until(frame: int, word: int, least: int) -> bool:
    control = load_i64(frame + FRAME_CONTROL)
    # Another worker is soon there, if it has a processor; when the replica has more work nobody knows.
    spins = load_i64(control + PATIENCE) if word >= control + WORKERS else load_i64(frame + FRAME_SPIN)
    for _ in range(spins):
        if load_acquire(word) >= least:
            return True
        relax()
    mine = line_of(control, load_i64(frame + FRAME_WORKER))
    kind = _FOR_ROOM if word == control + COLLECTED else _FOR_WORK
    while True:
        alarm = load_acquire(mine + ALARM)
        store_release(mine + ASLEEP, kind)
        fence()
        ready = load_acquire(word) >= least
        stopping = load_acquire(control + STOPPING) != 0
        if not ready and not stopping:
            sleep_while(mine + ALARM, alarm, NAP_NS)
        store_release(mine + ASLEEP, 0)
        if ready or load_acquire(word) >= least:
            return True
        if stopping:
            return False


@compiled
def rouse(control: int, worker: int) -> None:
    """Wake a worker if it sleeps; call after the store that it may be waiting for."""
    fence()
    line = line_of(control, worker)
    if load_acquire(line + ASLEEP) != 0:
        add_atomic(line + ALARM, 1)
        wake(line + ALARM)


@compiled
def rouse_for_room(control: int, worker: int) -> None:
    """As `rouse`, after COLLECTED was stored: a worker that sleeps for anything else sleeps on."""
    fence()
    line = line_of(control, worker)
    if load_acquire(line + ASLEEP) == _FOR_ROOM:
        add_atomic(line + ALARM, 1)
        wake(line + ALARM)
