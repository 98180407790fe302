"""Many histories at once, in compiled code: which there are, whether they have an order, and what the checker's search says.

The search is the one that `check` uses (`compiled_search.search`), on memory that `Layout` and `pack` have laid out for a
history of the same shape and the same kinds of operations. What is different from one history of these to the next is filled
in here: which operations are alike, what reads may come of, and the table of the model's answers, all of which are there
before the search asks. So what this leaves out is the Python between a history and the search; that takes part where
`running` has all of `check` look at a sample.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cdep.compiled import compiled, inlined
from psmr.checking.compiled_search import search
from psmr.checking.exhaustive.distinct import is_first, without_hope
from psmr.checking.exhaustive.every_set import is_explained
from psmr.checking.exhaustive.foreseen import STATE, link
from psmr.checking.exhaustive.kinds import CAS, LOST_CAS, READ
from psmr.checking.memory import (
    AT_OPERATIONS,
    AT_TRAIL,
    COLUMNS,
    FOUND,
    KIND,
    NONE,
    STALE,
)

STEPS = 1024
DISTINCT, LINEARIZABLE, EXPECTED, ENDED, COUNTS = range(5)
"""Counters: histories checked, and those of them that have an order. Of one that stopped a block: what trying every order
says, and how the search ended."""


class Places(NamedTuple):
    """A group of histories in arrays of int64."""

    kinds: Any
    writers: Any
    """The places of operations that write."""
    choosers: Any
    """The places of operations that expect a value."""
    names: Any
    """Each way of naming what they write."""
    values: Any
    """By that how many values there are."""
    ways: Any
    """By that how many histories."""
    ahead: Any
    """As of `distinct.without_hope`."""
    swaps: Any
    """As of `distinct.is_first`."""
    further: Any
    """As of `every_set.is_explained`."""


class Room(NamedTuple):
    """Arrays to write to."""

    rows: Any
    states: Any
    memory: Any
    counts: Any


@compiled
def check_block(group: Places, due: int, first: int, until: int, wide: Any, narrow: Any, room: Room) -> int:
    """Check the histories of a group from number `first` to `until − 1`, in the order of `Group.histories`.

    `due`: as of `every_set.must_be`. `wide`, `narrow`: the searches of the checker, as of `prepared.searches`.
    Returns the number of the first that the search says something else of than trying every order; `until` if there is none.
    """
    begin = 0
    for name in range(len(group.names)):
        end = begin + group.ways[name]
        if end > first:
            _write_names(group.kinds, group.writers, group.names[name], room.rows)
            stop = min(end, until) - begin
            ended = _check_ways(group, name, due, max(begin, first) - begin, stop, wide, narrow, room)
            if ended < stop:
                return int(begin + ended)
        if end >= until:
            break
        begin = end
    return until


@inlined
def _write_names(kinds: Any, writers: Any, names: Any, rows: Any) -> None:
    rows[:] = 0
    for at in range(len(writers)):
        place = writers[at]
        rows[place, 1 if kinds[place] in (CAS, LOST_CAS) else 0] = names[at]


@compiled
def _check_ways(group: Places, name: int, due: int, first: int, until: int, wide: Any, narrow: Any, room: Room) -> int:
    """As `check_block`, of one way of naming what is written."""
    # By name once: taking an array out of a tuple counts references, which takes longer than most histories do.
    kinds, choosers, ahead, swaps, further = group.kinds, group.choosers, group.ahead, group.swaps, group.further
    rows, states, memory, counts = room.rows, room.states, room.memory, room.counts
    values = group.values[name]
    for number in range(first, until):
        rest = number
        for at in range(len(choosers) - 1, -1, -1):
            rows[choosers[at], 0] = rest % values
            rest //= values
        hopeless = without_hope(kinds, rows, ahead)
        if hopeless < 0 or not is_first(kinds, rows, hopeless, swaps):
            continue
        expected = is_explained(further, due, kinds, rows, states)
        found = NONE
        if len(narrow) > 0:
            found = _searched(narrow, kinds, rows, memory)
        if found == NONE:
            found = _searched(wide, kinds, rows, memory)
        if found != (FOUND if expected else NONE):
            counts[EXPECTED] = expected
            counts[ENDED] = found
            return number
        counts[DISTINCT] += 1
        counts[LINEARIZABLE] += expected
    return until


@compiled
def _searched(prepared: Any, kinds: Any, rows: Any, memory: Any) -> int:
    """What the search says: FOUND, NONE, or what else it ended with."""
    fill(prepared, kinds, rows, memory)
    return int(search(memory, STEPS))


@compiled
def fill(prepared: Any, kinds: Any, rows: Any, memory: Any) -> None:
    """Write the memory of the search of a history."""
    count = len(kinds)
    start = before_memory(count)
    for at in range(prepared[start + AT_TRAIL]):
        memory[at] = prepared[start + at]
    seen = link(memory, prepared, kinds, rows) if prepared[count] else -1
    for place in range(count):
        kind, first, second = kinds[place], rows[place, 0], rows[place, 1]
        alike = 0
        while kinds[alike] != kind or rows[alike, 0] != first or rows[alike, 1] != second:
            alike += 1
        memory[memory[AT_OPERATIONS] + COLUMNS * prepared[place] + KIND] = alike
        if alike != place:
            continue
        answers = count + 1 + place * (count + 2)
        if kind in (READ, CAS, LOST_CAS):
            memory[prepared[answers + STATE + first]] = STATE + (first if kind == READ else second)
        else:
            for state in range(count + 2):
                memory[prepared[answers + state]] = STATE + first if seen >> first & 1 else STALE


@inlined
def before_memory(operations: int) -> int:
    """How much is before the memory: a row an operation, whether there is foresight, and where the model's answers go, by
    operation and state."""
    return operations + 1 + operations * (operations + 2)
