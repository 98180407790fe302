"""The memory of a search: its arrays in one, and the open tables among them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cdep.compiled import compiled, inlined
from cdep.hashing import mix

CALLED, DUE, KIND, FLAGS, END, CELL, CHAIN, COLUMNS = range(8)
"""Columns of an operation. `DUE` is the earliest return from there on in its chain, `END` where its batch ends."""
KNOWN, READ_ONLY, ANEW, HIDEABLE = 1, 2, 4, 8
"""Flags: of known outcome; changes no state; leaves a state that is the same whatever was before; see `Work.left`."""
DEPTH, CHOICES, MOVES, BEST, MISSING_STATE, MISSING_KIND, SEEN, IS_SYMMETRIC, HASH, OTHER_HASH, IMPOSSIBLE, META = (
    range(12)
)
"""Counters: how many are in the trail, choices, moves and the best trail; the transition that is missing; configurations.

`IMPOSSIBLE` is when the first read is due that no write can explain: there is no order beyond, whatever comes before.
"""
CHAINS, CELLS, TABLE_ROWS, SEEN_ROWS, MOVES_ROWS = range(META, META + 5)
_PLACES = META + 5
(
    AT_OPERATIONS,
    AT_HEADS,
    AT_STATES,
    AT_ORIGINS,
    AT_LINK_STARTS,
    AT_LINKS,
    AT_LEFT,
    AT_MORE,
    AT_READ_STARTS,
    AT_READS,
    AT_RANKS,
    AT_REACH,
    AT_TABLE,
    AT_SEEN,
    AT_TRAIL,
    AT_MOVES,
    AT_CHOICES,
    AT_BEST,
    _HEADER,
) = range(_PLACES, _PLACES + 19)
"""Where the arrays of `Work` begin, which follow the counters in one piece of memory: compiled code is handed that alone."""
FOUND, NONE, MISSING, FULL, ONWARD = range(5)
"""How a stretch of the search ends: an order, no order, a transition is missing, an array is full, the steps are used up."""
NEVER = 2**62
STALE = 0
"""The state of which no read ahead can come: all such are one."""
UNFIT, ABSENT = -1, -2
PASSED, EXECUTED = 0, 1
READS_AHEAD = 4
"""How many reads of a cell are looked at for a dead end, the first to be due first. More cost more than they save."""


_32 = np.uint64(32)


class Work(NamedTuple):
    """All of a search, in arrays of 64-bit integers; `pack` puts them into one, of which they are parts."""

    operations: Any
    """A row an operation, chain after chain; each chain ends with a row that is never called and never due."""
    heads: Any
    """By chain the next row to place."""
    states: Any
    """By cell its state."""
    origins: Any
    """By cell the row of the last write that began anew, −1 for none."""
    link_starts: Any
    links: Any
    """By row what its placing takes one from: of `left` at row n, or of `more` at row ~n."""
    left: Any
    """For a write, how many unplaced reads may come of it: at none it is hidden. For a read, how many unplaced writes, beginning
    anew, it may come of."""
    more: Any
    """For a read, how many unplaced writes that do not begin anew may be part of what it saw."""
    read_starts: Any
    reads: Any
    """By cell the rows of its reads of known outcome, the first due first."""
    ranks: Any
    """By row the number of a read's reply (`Reach`)."""
    reach: Any
    """By state the first and the end of the numbers of the replies that may come of it, and of the one that it is, or −1."""
    table: Any
    """Open addressing: (state << 32 | kind) and the state after it, or UNFIT."""
    seen: Any
    """Open addressing: the configurations at which there was a choice."""
    trail: Any
    """What was placed: row, state and origin before it, PASSED or EXECUTED."""
    moves: Any
    """The ways to go on: preference (two columns), chain or ~cell, PASSED or EXECUTED, state after it."""
    choices: Any
    """Where there was a choice: how long the trail was, and the moves."""
    best: Any
    """The longest trail that ended nowhere: row, PASSED or EXECUTED."""
    meta: Any


def pack(work: Work) -> tuple[np.ndarray, Work]:
    """The same in one array, with the arrays as parts of it."""
    starts = np.cumsum([_HEADER, *(array.size for array in work[:-1])])
    memory = np.empty(int(starts[-1]), np.int64)
    memory[:META] = work.meta
    sizes = len(work.heads), len(work.states), len(work.table), len(work.seen), len(work.moves)
    memory[META:_PLACES] = sizes
    memory[_PLACES:_HEADER] = starts[:-1]
    parts = []
    for array, start in zip(work[:-1], starts.tolist(), strict=False):
        part = memory[start : start + array.size].reshape(array.shape)
        part[:] = array
        parts.append(part)
    return memory, Work._make([*parts, memory[:META]])


@inlined
def slot_of(memory: np.ndarray, table: int, rows: int, key: int) -> int:
    """Where `key` is in an open table, or the free place for it."""
    slot = np.int64(mix(np.uint64(key)) >> _32) & (rows - 1)
    while memory[table + 2 * slot] != key and memory[table + 2 * slot] >= 0:
        slot = (slot + 1) & (rows - 1)
    return int(table + 2 * slot)


@compiled
def put_transition(work: np.ndarray, state: int, kind: int, after: int) -> None:
    """Note one; there has to be room."""
    key = state << 32 | kind
    at = slot_of(work, work[AT_TABLE], work[TABLE_ROWS], key)
    work[at] = key
    work[at + 1] = after


@compiled
def copy_transitions(source: np.ndarray, target: np.ndarray) -> None:
    """Into a larger one, both flat."""
    for place in range(0, source.size, 2):
        if source[place] >= 0:
            at = slot_of(target, 0, target.size // 2, source[place])
            target[at] = source[place]
            target[at + 1] = source[place + 1]


@compiled
def copy_seen(source: np.ndarray, target: np.ndarray) -> None:
    """Into a larger one, both flat."""
    for place in range(0, source.size, 2):
        if source[place] or source[place + 1]:
            add_seen(target, 0, target.size // 2, source[place], source[place + 1])


@inlined
def add_seen(memory: np.ndarray, start: int, rows: int, first: int, second: int) -> bool:
    slot = (first >> 32) & (rows - 1)
    at = start + 2 * slot
    while memory[at] or memory[at + 1]:
        if memory[at] == first and memory[at + 1] == second:
            return False
        slot = (slot + 1) & (rows - 1)
        at = start + 2 * slot
    memory[at] = first
    memory[at + 1] = second
    return True
