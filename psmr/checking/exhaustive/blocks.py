"""Many histories at once, in compiled code: which there are, whether they have an order, and what the checker's search says.

The search is the one that `check` uses (`compiled_search.search`), on memory that `Layout` and `pack` have laid out for a
history of the same shape and the same kinds of operations. What is different from one history of these to the next is filled
in here: which operations are alike, and the answers of the model when the search asks for them. So what this leaves out is the
Python between a history and the search, which `running` has run for a sample.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cdep.compiled import compiled, inlined
from psmr.checking.compiled_search import search
from psmr.checking.exhaustive.distinct import is_first, without_hope
from psmr.checking.exhaustive.every_set import is_explained
from psmr.checking.exhaustive.kinds import CAS, LOST_CAS, READ
from psmr.checking.memory import (
    AT_OPERATIONS,
    AT_TRAIL,
    COLUMNS,
    FOUND,
    KIND,
    MISSING,
    MISSING_KIND,
    MISSING_STATE,
    NONE,
    UNFIT,
    put_transition,
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

    `due`: as of `every_set.must_be`. `wide`, `narrow`: the searches of the checker, as `pack` gives them, and before that by
    operation its row; of the narrow one nothing where the checker has none. Returns the number of the first that the search
    says something else of than trying every order; `until` if there is none.
    """
    begin = 0
    for name in range(len(group.names)):
        end = begin + group.ways[name]
        if end > first:
            _write_names(group, name, room.rows)
            for number in range(max(begin, first), min(end, until)):
                _choose(group, number - begin, name, room.rows)
                if not _agree(group, due, wide, narrow, room):
                    return number
        if end >= until:
            break
        begin = end
    return until


@inlined
def _write_names(group: Places, name: int, rows: Any) -> None:
    rows[:] = 0
    for at in range(len(group.writers)):
        place = group.writers[at]
        rows[place, 1 if group.kinds[place] in (CAS, LOST_CAS) else 0] = group.names[name, at]


@inlined
def _choose(group: Places, number: int, name: int, rows: Any) -> None:
    values = group.values[name]
    for at in range(len(group.choosers) - 1, -1, -1):
        rows[group.choosers[at], 0] = number % values
        number //= values


@compiled
def _agree(group: Places, due: int, wide: Any, narrow: Any, room: Room) -> bool:
    kinds, rows = group.kinds, room.rows
    hopeless = without_hope(kinds, rows, group.ahead)
    if hopeless < 0 or not is_first(kinds, rows, hopeless, group.swaps):
        return True
    expected = is_explained(group.further, due, kinds, rows, room.states)
    found = NONE
    if len(narrow) > 0:
        found = _searched(narrow, kinds, rows, room.memory)
    if found == NONE:
        found = _searched(wide, kinds, rows, room.memory)
    if found != (FOUND if expected else NONE):
        room.counts[EXPECTED] = expected
        room.counts[ENDED] = found
        return False
    room.counts[DISTINCT] += 1
    room.counts[LINEARIZABLE] += expected
    return True


@compiled
def _searched(prepared: Any, kinds: Any, rows: Any, memory: Any) -> int:
    """What the search says: FOUND, NONE, or what else it ended with."""
    count = len(kinds)
    for at in range(prepared[count + AT_TRAIL]):
        memory[at] = prepared[count + at]
    for place in range(count):
        alike = 0
        while kinds[alike] != kinds[place] or rows[alike, 0] != rows[place, 0] or rows[alike, 1] != rows[place, 1]:
            alike += 1
        memory[memory[AT_OPERATIONS] + COLUMNS * prepared[place] + KIND] = alike
    ended = search(memory, STEPS)
    while ended == MISSING:
        state, place = memory[MISSING_STATE], memory[MISSING_KIND]
        put_transition(memory, state, place, _after(state, kinds[place], rows[place, 0], rows[place, 1]))
        ended = search(memory, STEPS)
    return int(ended)


@compiled
def _after(state: int, kind: int, first: int, second: int) -> int:
    """What `Transitions` says of a `CasRegister`: the number of a state is one more than its value, or UNFIT."""
    if kind == READ or kind in (CAS, LOST_CAS):
        if state != first + 1:
            return UNFIT
        return state if kind == READ else second + 1
    return first + 1
