"""What a worker does next in a slot of a service with early stages: the wavefront.

All workers execute a slot together in rounds. Each has a *frontier*: the first row whose early stage it has not decided.

    1. It runs the early stages of its own rows in order, up to one that answers WAIT or that must not be passed; publishes its
       frontier, and waits for those of the others. The lowest is the *bound*.
    2. It runs the main stages of its own rows below the bound.
    3. The bound is the end: the slot is done. Otherwise the row at the bound is decided by its owner as a whole, once all are
       through their main stages below it: everything before it is complete, and nothing after it has run its main stage. The
       others go on with their early stages; who was stopped at another row tries it again.

A slot in which too many rows wait is not worth meeting for: where the bound has come forward by fewer than `FRAME_ROUND_ROWS` rows
a round, the owner of the row at the bound executes all that is left, alone, in order.

So no main stage runs before the early stages of all rows before its own are decided, and an early stage may run before main
stages of rows before its own: which is what `cdep.staging` asks of a service. The bound grows with every round.

    begin_staged(frame)     → True: a slot is open; False: end
    seek_stage(frame, row)  → the next row, ≥ `row`, of which this worker must run FRAME_STAGE; SLOT_DONE; ENDING
    finish(frame)           → publish the slot's replies (`psmr.execution.schedule`)
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined
from cdep.staging import WAIT
from psmr.execution.layout import (
    FRAME_ACTIVE,
    FRAME_BOUND,
    FRAME_CARRIED,
    FRAME_CARRIED_WORDS,
    FRAME_CONTROL,
    FRAME_COUNT,
    FRAME_EARLY_FOLD,
    FRAME_EARLY_LIST,
    FRAME_ENDED,
    FRAME_FINISHES,
    FRAME_FRONTIER,
    FRAME_IS_BLOCKED,
    FRAME_MAIN_LIST,
    FRAME_MAINS,
    FRAME_OWNERS,
    FRAME_ROUND,
    FRAME_ROUND_ROWS,
    FRAME_SLOT_ROUNDS,
    FRAME_STAGE,
    FRAME_WORKER,
    FRAME_WORKERS,
    FRONTIER,
    ROUND,
    ROUNDS,
    THROUGH,
    WAITED,
)
from psmr.execution.schedule import ENDING, SLOT_DONE, begin
from psmr.execution.stage_index import CARRIED_BYTES, EXACT, carried_words, early_list, ended_bytes, main_list, next_in
from psmr.execution.waiting import line_of, note_decision, rouse, wait_until
from psmr.state.atomics import store_release
from psmr.state.words import load_i64, load_u8, load_u16, lowest_bit, store_i64, store_u8, store_u64

EARLY = 0
MAIN = 1
WHOLE = 2
"""Early stage and main stage, one after the other, as when one worker executes everything."""

ROUND_ROWS = 128
"""What a round should bring, in rows: their execution takes about as long as two workers need to meet."""
ROUNDS_FREE = 2
"""So many rounds of a slot may bring less."""
_WAIT = int(WAIT)


@compiled
def begin_staged(frame: int) -> bool:
    """`schedule.begin`, and what the stages of the slot need."""
    if load_i64(frame + FRAME_ACTIVE) != 0:
        return True
    if not begin(frame):
        return False
    owners = load_i64(frame + FRAME_OWNERS)
    if owners == 0:
        store_i64(frame + FRAME_STAGE, WHOLE)
        return True
    count = load_i64(frame + FRAME_COUNT)
    workers = load_i64(frame + FRAME_WORKERS)
    me = load_i64(frame + FRAME_WORKER)
    store_i64(frame + FRAME_EARLY_LIST, early_list(owners, count, me))
    store_i64(frame + FRAME_MAIN_LIST, main_list(owners, count, workers, me))
    store_i64(frame + FRAME_ENDED, ended_bytes(owners, count, workers))
    store_i64(frame + FRAME_CARRIED_WORDS, carried_words(owners, count, workers))
    store_i64(frame + FRAME_STAGE, EARLY)
    store_i64(frame + FRAME_IS_BLOCKED, 0)
    store_i64(frame + FRAME_MAINS, 0)
    store_i64(frame + FRAME_SLOT_ROUNDS, 0)
    store_i64(frame + FRAME_FINISHES, 0)
    return True


@inlined
def _add_one(word: int) -> None:
    store_i64(word, load_i64(word) + 1)


@compiled
def _meet(frame: int, frontier: int) -> bool:
    """Publish the frontier, wait for those of the others, and take the lowest for the bound. False: end."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    workers = load_i64(frame + FRAME_WORKERS)
    number = load_i64(frame + FRAME_ROUND) + 1
    place = FRONTIER + 8 * (number & 1)
    line = line_of(control, me)
    store_i64(line + place, frontier)
    store_release(line + ROUND, number)
    for worker in range(workers):
        if worker != me:
            rouse(control, worker)
    bound = frontier
    for worker in range(workers):
        if worker != me:
            if not wait_until(frame, line_of(control, worker) + ROUND, number):
                return False
            bound = min(bound, load_i64(line_of(control, worker) + place))
    store_i64(frame + FRAME_ROUND, number)
    store_i64(frame + FRAME_FRONTIER, frontier)
    store_i64(frame + FRAME_BOUND, bound)
    _add_one(line + ROUNDS)
    _add_one(frame + FRAME_SLOT_ROUNDS)
    return True


@inlined
def _is_slow(frame: int, bound: int) -> bool:
    """Whether one worker should finish the slot; all find the same."""
    rounds = load_i64(frame + FRAME_SLOT_ROUNDS)
    return rounds > ROUNDS_FREE and bound < rounds * load_i64(frame + FRAME_ROUND_ROWS)


@compiled
def _end_mains(frame: int, bound: int) -> int:
    """Be through the main stages below the bound: the row to go on at, in the stage then set, or ENDING."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    number = load_i64(frame + FRAME_ROUND)
    stopped = load_u16(load_i64(frame + FRAME_OWNERS) + 4 * bound)
    decider = lowest_bit(stopped)
    store_i64(frame + FRAME_MAINS, bound + 1)
    store_i64(frame + FRAME_IS_BLOCKED, 0)
    if decider == me:
        for worker in range(load_i64(frame + FRAME_WORKERS)):
            if worker != me and not wait_until(frame, line_of(control, worker) + THROUGH, 2 * number):
                return ENDING
        note_decision(frame, line_of(control, me) + THROUGH, 2 * number)
        store_i64(frame + FRAME_STAGE, WHOLE)
        store_i64(frame + FRAME_FINISHES, 1 if _is_slow(frame, bound) else 0)
        return bound
    store_release(line_of(control, me) + THROUGH, 2 * number)
    rouse(control, decider)
    store_i64(frame + FRAME_STAGE, EARLY)
    is_slow = _is_slow(frame, bound)
    if (stopped >> me) & 1 == 0 and not is_slow:
        return load_i64(frame + FRAME_FRONTIER)
    if not wait_until(frame, line_of(control, decider) + THROUGH, 2 * number + 1):
        return ENDING
    return SLOT_DONE if is_slow else bound + 1


@compiled
def _finish_alone(frame: int, row: int, count: int) -> int:
    """As the one who executes what is left of the slot: the row, in the stage that it is in; at the end SLOT_DONE."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    number = load_i64(frame + FRAME_ROUND)
    if row < count:
        # Whose early stage is decided is said by the frontiers of this round; nobody publishes another before this ends.
        early = load_u16(load_i64(frame + FRAME_OWNERS) + 4 * row)
        stage = MAIN
        if early != 0:
            frontier = load_i64(line_of(control, lowest_bit(early)) + FRONTIER + 8 * (number & 1))
            stage = MAIN if row < frontier else WHOLE
        store_i64(frame + FRAME_STAGE, stage)
        return row
    store_release(line_of(control, me) + THROUGH, 2 * number + 1)
    for worker in range(load_i64(frame + FRAME_WORKERS)):
        if worker != me:
            rouse(control, worker)
    return SLOT_DONE


@compiled
def _end_decision(frame: int, bound: int) -> None:
    """The row at the bound is decided: let those pass it that must not before."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    store_release(line_of(control, me) + THROUGH, 2 * load_i64(frame + FRAME_ROUND) + 1)
    others = load_u16(load_i64(frame + FRAME_OWNERS) + 4 * bound) & ~(1 << me)
    while others != 0:
        rouse(control, lowest_bit(others))
        others &= others - 1
    store_i64(frame + FRAME_STAGE, EARLY)


@inlined
def _next_early(frame: int, row: int, count: int) -> int:
    return next_in(load_i64(frame + FRAME_EARLY_LIST), row, count) if row < count else count


@inlined
def _is_exact(frame: int, row: int) -> bool:
    return load_u16(load_i64(frame + FRAME_OWNERS) + 4 * row + 2) == EXACT


@compiled
def seek_stage(frame: int, row: int) -> int:
    """The next row from `row` on of which this worker runs the stage in FRAME_STAGE, after whatever meeting that needs."""
    count = load_i64(frame + FRAME_COUNT)
    if load_i64(frame + FRAME_OWNERS) == 0:
        return row if row < count else SLOT_DONE
    if load_i64(frame + FRAME_FINISHES) != 0:
        return _finish_alone(frame, row, count)
    while True:
        stage = load_i64(frame + FRAME_STAGE)
        if stage == EARLY:
            if load_i64(frame + FRAME_IS_BLOCKED) != 0:
                row = load_i64(frame + FRAME_FRONTIER)
            else:
                row = _next_early(frame, row, count)
                if row < count and not _is_exact(frame, row):
                    return row
            if not _meet(frame, min(row, count)):
                return ENDING
            store_i64(frame + FRAME_STAGE, MAIN)
            row = load_i64(frame + FRAME_MAINS)
        elif stage == MAIN:
            bound = load_i64(frame + FRAME_BOUND)
            if row < bound:
                row = next_in(load_i64(frame + FRAME_MAIN_LIST), row, bound)
                if row < bound:
                    return row
            if bound == count:
                return SLOT_DONE
            row = _end_mains(frame, bound)
            if row < 0 or load_i64(frame + FRAME_STAGE) == WHOLE:
                return row
        else:
            _end_decision(frame, load_i64(frame + FRAME_BOUND))


@inlined
def seek_stage_at_once(frame: int, row: int) -> int:
    """As `seek_stage`, merged into the loop that calls it where the stage goes on with the worker's next row."""
    count = load_i64(frame + FRAME_COUNT)
    if row < count:
        stage = load_i64(frame + FRAME_STAGE)
        if stage == MAIN:
            bound = load_i64(frame + FRAME_BOUND)
            if row < bound:
                found = next_in(load_i64(frame + FRAME_MAIN_LIST), row, bound)
                if found < bound:
                    return found
        elif stage == EARLY:
            found = next_in(load_i64(frame + FRAME_EARLY_LIST), row, count)
            if found < count and load_i64(frame + FRAME_IS_BLOCKED) == 0 and not _is_exact(frame, found):
                return found
        elif load_i64(frame + FRAME_OWNERS) == 0:
            return row
    return seek_stage(frame, row)


@inlined
def is_early(frame: int) -> bool:
    """Whether the early stage of the row is to be run."""
    return load_i64(frame + FRAME_STAGE) != MAIN


@inlined
def is_main(frame: int) -> bool:
    """Whether the main stage of the row is to be run."""
    return load_i64(frame + FRAME_STAGE) != EARLY


@inlined
def carry(frame: int, row: int, value: int, folded: np.uint64) -> None:
    """Keep what the early stage of a row has answered, other than WAIT, and the fold of what it wrote, for its main stage."""
    if load_i64(frame + FRAME_STAGE) == WHOLE:
        store_i64(frame + FRAME_CARRIED, value)
        store_u64(frame + FRAME_EARLY_FOLD, folded)
    else:
        place = _carried_place(frame, load_i64(frame + FRAME_WORKER), row)
        store_i64(place, value)
        store_u64(place + 8, folded)


@inlined
def _carried_place(frame: int, worker: int, row: int) -> int:
    return load_i64(frame + FRAME_CARRIED_WORDS) + CARRIED_BYTES * (worker * load_i64(frame + FRAME_COUNT) + row)


@compiled
def wait_for_all_before(frame: int, row: int) -> None:
    """The early stage of a row has answered WAIT: stop at it, or, where everything before is complete, have that be its answer."""
    line = line_of(load_i64(frame + FRAME_CONTROL), load_i64(frame + FRAME_WORKER))
    if load_i64(frame + FRAME_STAGE) == WHOLE:
        store_i64(frame + FRAME_CARRIED, _WAIT)
    else:
        store_i64(frame + FRAME_IS_BLOCKED, 1)
        store_i64(frame + FRAME_FRONTIER, row)
        _add_one(line + WAITED)


@inlined
def carried_to(frame: int, row: int) -> int:
    """What the early stage of a row has answered; what it has folded is counted with the main stage's."""
    if load_i64(frame + FRAME_STAGE) == WHOLE:
        return load_i64(frame + FRAME_CARRIED)
    worker = lowest_bit(load_u16(load_i64(frame + FRAME_OWNERS) + 4 * row))
    place = _carried_place(frame, worker, row)
    store_i64(frame + FRAME_EARLY_FOLD, load_i64(place + 8))
    return load_i64(place)


@compiled
def end_early(frame: int, row: int) -> None:
    """The early stage of a row has raised, and its reply is written: there is no main stage."""
    if load_i64(frame + FRAME_STAGE) == EARLY:
        store_u8(load_i64(frame + FRAME_ENDED) + row, 1)


@inlined
def has_ended(frame: int, row: int) -> bool:
    """Whether the early stage of a row has ended its command, before a main stage that is to be run."""
    return load_i64(frame + FRAME_STAGE) == MAIN and load_u8(load_i64(frame + FRAME_ENDED) + row) != 0
