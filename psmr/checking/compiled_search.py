"""The search itself, compiled: over integers, which `layout` and `transitions` give their meaning.

A configuration is a position in each chain and a state in each cell. It is remembered as 128 bits of hash, so that a pair that
was met before is not searched again: two different ones would be taken for one once in some 10^20 histories.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined
from cdep.hashing import mix
from psmr.checking.memory import (
    ABSENT,
    ANEW,
    AT_BEST,
    AT_CHOICES,
    AT_HEADS,
    AT_LEFT,
    AT_LINK_STARTS,
    AT_LINKS,
    AT_MORE,
    AT_MOVES,
    AT_OPERATIONS,
    AT_ORIGINS,
    AT_RANKS,
    AT_REACH,
    AT_READ_STARTS,
    AT_READS,
    AT_SEEN,
    AT_STATES,
    AT_TABLE,
    AT_TRAIL,
    BEST,
    CALLED,
    CELL,
    CELLS,
    CHAIN,
    CHAINS,
    CHOICES,
    COLUMNS,
    DEPTH,
    DUE,
    END,
    EXECUTED,
    FLAGS,
    FOUND,
    FULL,
    HASH,
    HIDEABLE,
    IMPOSSIBLE,
    IS_SYMMETRIC,
    KIND,
    KNOWN,
    MISSING,
    MISSING_KIND,
    MISSING_STATE,
    MOVES,
    MOVES_ROWS,
    NEVER,
    NONE,
    ONWARD,
    OTHER_HASH,
    PASSED,
    READ_ONLY,
    READS_AHEAD,
    SEEN,
    SEEN_ROWS,
    STALE,
    TABLE_ROWS,
    UNFIT,
    add_seen,
    slot_of,
)

_OTHER = np.uint64(0x5851F42D4C957F2D)
_OF_STATE = np.uint64(1 << 63)


@compiled
def search(work: np.ndarray, steps: int) -> int:
    """Go on for some steps, to FOUND, NONE, MISSING, FULL or ONWARD. The rules are those of `psmr.checking.search`."""
    for _ in range(steps):
        if 2 * work[SEEN] >= work[SEEN_ROWS] or work[MOVES] + 2 * work[CHAINS] + work[CELLS] >= work[MOVES_ROWS]:
            return FULL
        limit = _limit(work)
        if limit == NEVER:
            return FOUND
        placed = _place_at_once(work, limit)
        if placed < 0:
            return MISSING
        if placed:
            continue
        count = _find_moves(work, limit)
        if count < 0:
            return MISSING
        if count == 1:
            _take(work, work[MOVES])
            continue
        if count == 0:
            _note_dead_end(work)
            if limit == work[IMPOSSIBLE]:
                return NONE
        elif _is_new(work):
            _sort_moves(work, work[MOVES], count)
            work[work[AT_CHOICES] + 2 * work[CHOICES] + 0] = work[DEPTH]
            work[work[AT_CHOICES] + 2 * work[CHOICES] + 1] = work[MOVES]
            work[CHOICES] += 1
            work[MOVES] += count
        if not _go_back(work):
            return NONE
    return ONWARD


@compiled
def _limit(work: np.ndarray) -> int:
    """When the first of the unplaced is due: what was called later cannot come next."""
    limit = NEVER
    for chain in range(work[CHAINS]):
        due = work[work[AT_OPERATIONS] + COLUMNS * (work[work[AT_HEADS] + chain]) + DUE]
        if due < limit:
            limit = due
    return limit


@compiled
def _after(work: np.ndarray, state: int, kind: int) -> int:
    """The state after an operation of this kind, or UNFIT; ABSENT, and noted, where that is not known yet."""
    key = state << 32 | kind
    at = slot_of(work, work[AT_TABLE], work[TABLE_ROWS], key)
    if work[at] < 0:
        work[MISSING_STATE] = state
        work[MISSING_KIND] = kind
        return ABSENT
    return int(work[at + 1])


@inlined
def _is_new(work: np.ndarray) -> bool:
    if not add_seen(work, work[AT_SEEN], work[SEEN_ROWS], work[HASH], work[OTHER_HASH]):
        return False
    work[SEEN] += 1
    return True


@inlined
def _toggle(work: np.ndarray, what: np.uint64) -> None:
    work[HASH] ^= np.int64(mix(what))
    work[OTHER_HASH] ^= np.int64(mix(what ^ _OTHER))


@inlined
def _set_state(work: np.ndarray, cell: int, state: int) -> None:
    if work[work[AT_STATES] + cell] != state:
        _toggle(work, np.uint64(cell << 32 | work[work[AT_STATES] + cell]) ^ _OF_STATE)
        _toggle(work, np.uint64(cell << 32 | state) ^ _OF_STATE)
        work[work[AT_STATES] + cell] = state


@compiled
def _place(work: np.ndarray, row: int, after: int, how: int) -> None:
    cell = work[work[AT_OPERATIONS] + COLUMNS * row + CELL]
    flags = work[work[AT_OPERATIONS] + COLUMNS * row + FLAGS]
    trail = work[AT_TRAIL] + 4 * work[DEPTH]
    work[trail] = row
    work[trail + 1] = work[work[AT_STATES] + cell]
    work[trail + 2] = work[work[AT_ORIGINS] + cell]
    work[trail + 3] = how
    work[DEPTH] += 1
    _move(work, row, row + 1, -1)
    if how == EXECUTED and after != work[work[AT_STATES] + cell] and flags & ANEW:
        work[work[AT_ORIGINS] + cell] = row
    origin = work[work[AT_ORIGINS] + cell]
    if (
        origin >= 0
        and flags & READ_ONLY
        and work[work[AT_OPERATIONS] + COLUMNS * origin + FLAGS] & HIDEABLE
        and work[work[AT_LEFT] + origin] == 0
    ):
        after = STALE
    _set_state(work, cell, after)


@compiled
def _move(work: np.ndarray, row: int, head: int, sign: int) -> None:
    """Take a row out of what is unplaced, or put it back."""
    work[work[AT_HEADS] + work[work[AT_OPERATIONS] + COLUMNS * row + CHAIN]] = head
    _toggle(work, np.uint64(row))
    _toggle(work, np.uint64(row + 1))
    for at in range(work[work[AT_LINK_STARTS] + row], work[work[AT_LINK_STARTS] + row + 1]):
        target = work[work[AT_LINKS] + at]
        if target >= 0:
            work[work[AT_LEFT] + target] += sign
        else:
            work[work[AT_MORE] + ~target] += sign


@compiled
def _undo(work: np.ndarray, depth: int) -> None:
    while work[DEPTH] > depth:
        work[DEPTH] -= 1
        trail = work[AT_TRAIL] + 4 * work[DEPTH]
        row = work[trail]
        cell = work[work[AT_OPERATIONS] + COLUMNS * row + CELL]
        _move(work, row, row, 1)
        work[work[AT_ORIGINS] + cell] = work[trail + 2]
        _set_state(work, cell, work[trail + 1])


@inlined
def _is_hidden(work: np.ndarray, row: int) -> bool:
    """Whether no read ahead may come of this write: then it is best placed where nothing could see it."""
    flags = work[work[AT_OPERATIONS] + COLUMNS * row + FLAGS]
    return bool((flags & HIDEABLE) != 0 and (flags & KNOWN) != 0 and work[work[AT_LEFT] + row] == 0)


@compiled
def _place_at_once(work: np.ndarray, limit: int) -> int:
    """Place what takes nothing from the others: reads that fit, hidden writes where nobody looks any more. −1: MISSING."""
    placed = 0
    for chain in range(work[CHAINS]):
        row = work[work[AT_HEADS] + chain]
        while work[work[AT_OPERATIONS] + COLUMNS * row + CALLED] <= limit:
            state = work[work[AT_STATES] + work[work[AT_OPERATIONS] + COLUMNS * row + CELL]]
            if work[work[AT_OPERATIONS] + COLUMNS * row + FLAGS] & READ_ONLY:
                after = _after(work, state, work[work[AT_OPERATIONS] + COLUMNS * row + KIND])
                if after == ABSENT:
                    return -1
                if after == UNFIT:
                    break
            elif state != STALE or not _is_hidden(work, row):
                break
            _place(work, row, state, EXECUTED)
            row += 1
            placed = 1
    return placed


@compiled
def _find_moves(work: np.ndarray, limit: int) -> int:
    """Write the ways to go on above those that are there; how many. −1: MISSING."""
    first = work[MOVES]
    top = first
    for chain in range(work[CHAINS]):
        row = work[work[AT_HEADS] + chain]
        if (
            work[work[AT_OPERATIONS] + COLUMNS * row + CALLED] > limit
            or work[work[AT_OPERATIONS] + COLUMNS * row + FLAGS] & READ_ONLY
        ):
            continue
        cell = work[work[AT_OPERATIONS] + COLUMNS * row + CELL]
        flags = work[work[AT_OPERATIONS] + COLUMNS * row + FLAGS]
        if _is_hidden(work, row):
            top = _add_hidden(work, first, top, row, cell, limit)
            continue
        if work[IS_SYMMETRIC] and _has_twin(work, first, top, row):
            continue
        if work[work[AT_OPERATIONS] + COLUMNS * row + END] > row + 1:
            after = _after_batch(work, row)
        else:
            after = _after(work, work[work[AT_STATES] + cell], work[work[AT_OPERATIONS] + COLUMNS * row + KIND])
        if after == ABSENT:
            return -1
        is_known = flags & KNOWN
        is_of_use = is_known or (
            after != work[work[AT_STATES] + cell] and not (flags & HIDEABLE and work[work[AT_LEFT] + row] == 0)
        )
        if (
            after != UNFIT
            and is_of_use
            and not _is_hopeless(work, row, work[work[AT_OPERATIONS] + COLUMNS * row + END], cell, after, limit)
        ):
            _write(work, top, is_known, -work[work[AT_OPERATIONS] + COLUMNS * row + DUE], chain, EXECUTED, after)
            top += 1
        if not is_known and work[work[AT_OPERATIONS] + COLUMNS * (row + 1) + CALLED] != NEVER:
            _write(
                work,
                top,
                is_known,
                -work[work[AT_OPERATIONS] + COLUMNS * row + DUE],
                chain,
                PASSED,
                work[work[AT_STATES] + cell],
            )
            top += 1
    return int(top - first)


@inlined
def _write(work: np.ndarray, place: int, is_known: int, urgency: int, where: int, how: int, after: int) -> None:
    move = work[AT_MOVES] + 5 * place
    work[move] = is_known
    work[move + 1] = urgency
    work[move + 2] = where
    work[move + 3] = how
    work[move + 4] = after


@compiled
def _add_hidden(work: np.ndarray, first: int, top: int, row: int, cell: int, limit: int) -> int:
    """All hidden writes of a cell are one way to go on: with the first of them placed visibly, the others may as well be."""
    urgency = -work[work[AT_OPERATIONS] + COLUMNS * row + DUE]
    for at in range(first, top):
        if work[work[AT_MOVES] + 5 * at + 2] == ~cell:
            work[work[AT_MOVES] + 5 * at + 1] = max(work[work[AT_MOVES] + 5 * at + 1], urgency)
            return top
    if _is_hopeless(work, row, row + 1, cell, STALE, limit):
        return top
    _write(work, top, 1, urgency, ~cell, EXECUTED, STALE)
    return top + 1


@compiled
def _has_twin(work: np.ndarray, first: int, top: int, row: int) -> bool:
    """Of two alike, the one that is due first may as well be placed first."""
    for at in range(first, top):
        chain = work[work[AT_MOVES] + 5 * at + 2]
        if (
            chain >= 0
            and work[work[AT_OPERATIONS] + COLUMNS * (work[work[AT_HEADS] + chain]) + KIND]
            == work[work[AT_OPERATIONS] + COLUMNS * row + KIND]
        ):
            if -work[work[AT_OPERATIONS] + COLUMNS * row + DUE] > work[work[AT_MOVES] + 5 * at + 1]:
                work[work[AT_MOVES] + 5 * at + 1] = -work[work[AT_OPERATIONS] + COLUMNS * row + DUE]
                work[work[AT_MOVES] + 5 * at + 2] = work[work[AT_OPERATIONS] + COLUMNS * row + CHAIN]
            return True
    return False


@compiled
def _after_batch(work: np.ndarray, row: int) -> int:
    """The state of its cell after a whole batch, or UNFIT, or ABSENT; tried and taken back."""
    depth = work[DEPTH]
    after = 0
    for at in range(row, work[work[AT_OPERATIONS] + COLUMNS * row + END]):
        after = _after(
            work,
            work[work[AT_STATES] + work[work[AT_OPERATIONS] + COLUMNS * at + CELL]],
            work[work[AT_OPERATIONS] + COLUMNS * at + KIND],
        )
        if after < 0:
            break
        _place(work, at, after, EXECUTED)
    if after >= 0:
        after = work[work[AT_STATES] + work[work[AT_OPERATIONS] + COLUMNS * row + CELL]]
    _undo(work, depth)
    return int(after)


@compiled
def _is_hopeless(work: np.ndarray, row: int, end: int, cell: int, after: int, limit: int) -> bool:
    """Whether, once the rows up to `end` are placed and the cell is in state `after`, some read has no explanation ahead."""
    low, high = work[work[AT_READ_STARTS] + cell], work[work[AT_READ_STARTS] + cell + 1]
    last = high
    while low < high:
        middle = (low + high) >> 1
        if work[work[AT_OPERATIONS] + COLUMNS * (work[work[AT_READS] + middle]) + DUE] < limit:
            low = middle + 1
        else:
            high = middle
    looked_at = 0
    for at in range(low, last):
        read = work[work[AT_READS] + at]
        if read < work[work[AT_HEADS] + work[work[AT_OPERATIONS] + COLUMNS * read + CHAIN]] or row <= read < end:
            continue
        if work[work[AT_LEFT] + read] == 0:
            rank = work[work[AT_RANKS] + read]
            if rank < work[work[AT_REACH] + 3 * after + 0] or rank >= work[work[AT_REACH] + 3 * after + 1]:
                return True
            if work[work[AT_REACH] + 3 * after + 2] != rank and work[work[AT_MORE] + read] == 0:
                return True
        looked_at += 1
        if looked_at == READS_AHEAD:
            break
    return False


@compiled
def _sort_moves(work: np.ndarray, first: int, count: int) -> None:
    """The best last: known before unknown outcomes, then what is due first."""
    for at in range(first + 1, first + count):
        place = work[AT_MOVES] + 5 * at
        while place > work[AT_MOVES] + 5 * first and _is_better(work, place - 5, place):
            for column in range(5):
                kept = work[place + column]
                work[place + column] = work[place - 5 + column]
                work[place - 5 + column] = kept
            place -= 5


@inlined
def _is_better(work: np.ndarray, one: int, other: int) -> bool:
    if work[one] != work[other]:
        return bool(work[one] > work[other])
    return bool(
        work[one + 1] > work[other + 1] or (work[one + 1] == work[other + 1] and work[one + 3] > work[other + 3])
    )


@compiled
def _take(work: np.ndarray, at: int) -> None:
    """Make a move. What is hidden goes right before a write that hides it."""
    where, how, after = (
        work[work[AT_MOVES] + 5 * at + 2],
        work[work[AT_MOVES] + 5 * at + 3],
        work[work[AT_MOVES] + 5 * at + 4],
    )
    if where < 0:
        _place_hidden(work, ~where, STALE)
        return
    row = work[work[AT_HEADS] + where]
    if how == PASSED:
        _place(work, row, after, PASSED)
        return
    flags = work[work[AT_OPERATIONS] + COLUMNS * row + FLAGS]
    if flags & HIDEABLE and flags & ANEW:
        cell = work[work[AT_OPERATIONS] + COLUMNS * row + CELL]
        _place_hidden(work, cell, work[work[AT_STATES] + cell])
    end = work[work[AT_OPERATIONS] + COLUMNS * row + END]
    if end > row + 1:
        for each in range(row, end):
            _place(
                work,
                each,
                _after(
                    work,
                    work[work[AT_STATES] + work[work[AT_OPERATIONS] + COLUMNS * each + CELL]],
                    work[work[AT_OPERATIONS] + COLUMNS * each + KIND],
                ),
                EXECUTED,
            )
    else:
        _place(work, row, after, EXECUTED)


@compiled
def _place_hidden(work: np.ndarray, cell: int, after: int) -> None:
    limit = _limit(work)
    for chain in range(work[CHAINS]):
        row = work[work[AT_HEADS] + chain]
        if (
            work[work[AT_OPERATIONS] + COLUMNS * row + CALLED] <= limit
            and work[work[AT_OPERATIONS] + COLUMNS * row + CELL] == cell
            and _is_hidden(work, row)
        ):
            _place(work, row, after, EXECUTED)


@compiled
def _note_dead_end(work: np.ndarray) -> None:
    depth = work[DEPTH]
    if depth > work[BEST] or work[BEST] < 0:
        work[BEST] = depth
        for at in range(depth):
            work[work[AT_BEST] + 2 * at + 0] = work[work[AT_TRAIL] + 4 * at + 0]
            work[work[AT_BEST] + 2 * at + 1] = work[work[AT_TRAIL] + 4 * at + 3]


@compiled
def _go_back(work: np.ndarray) -> bool:
    """Return to the last choice with a move not yet made, and make it; False when there is none."""
    while work[CHOICES] > 0:
        choice = work[CHOICES] - 1
        if work[MOVES] > work[work[AT_CHOICES] + 2 * choice + 1]:
            _undo(work, work[work[AT_CHOICES] + 2 * choice + 0])
            work[MOVES] -= 1
            _take(work, work[MOVES])
            return True
        work[CHOICES] -= 1
    return False
