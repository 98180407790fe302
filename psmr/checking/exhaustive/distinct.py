"""Which histories need not be checked because another one, that is, asks the same of the checker.

Histories that differ in the names of values or processes are one already (`groups`, `shapes`). Two more kinds are one:

*Conditions that never hold*, for models without foresight. Before an operation only those can take effect that were called
before it returned, each of them only if its own condition can hold. Where no order of these leads to the value that it
expects, it is without hope. A search begins with the first value, goes on by steps of the model, and places nothing that was
called after something unplaced was due: so an operation without hope has one answer from the model wherever it is asked about,
which is that it does not fit. What it expects exactly, and would write, is asked for nothing else: the kinds of operations are
compared (`_has_twin`) with those that are moves, and such a one is a move only as passed by, in a search by session, which
compares no kinds. So histories that differ in what their operations without hope expect and write have the same orders and the
same search, to the last step. Of those one stays: if a compare-and-set is among them, the one in which all expect one value
that nobody else writes, and write that; if not, that in which each read sees the first value that it cannot see. Foresight
looks at what reads see before they are reached, so that with it all of these stay.

*Operations that change places.* Two that lie alike in time and are of one kind (two compare-and-sets, say) can change their
values: that is the same history, listed in another order. A history is left out if another comes before it that one such
change leads to, values named anew; what reads without hope see is not compared, so that the first of all that changes of both
kinds lead to is never left out.
"""

from __future__ import annotations

from typing import Any

from cdep.compiled import compiled, inlined
from psmr.checking.exhaustive.kinds import CAS, LOST_CAS, LOST_WRITE, READ, WRITE


@compiled
def without_hope(kinds: Any, rows: Any, ahead: Any) -> int:
    """The operations whose condition never holds, as a set; −1 if another history has the same, and stays.

    `ahead`: by operation the set of those that could take effect before it.
    """
    found = sets = value = 0
    for place in range(len(kinds)):
        expected = rows[place, 0]
        if expected == 0 or kinds[place] in (WRITE, LOST_WRITE):
            continue
        alive = _alive(kinds, rows, ahead[place], expected)
        if alive >> expected & 1:
            continue
        found |= 1 << place
        if kinds[place] == READ:
            continue
        if rows[place, 1] != expected or value not in (0, expected):
            return -1
        value = expected
        sets |= 1 << place
    if found == 0:
        return 0
    for place in range(len(kinds)):
        if not found >> place & 1:
            if value and kinds[place] != READ and _writes(kinds, rows, place) == value:
                return -1
        elif kinds[place] == READ:
            seen = rows[place, 0]
            below = (1 << seen) - 1
            if seen != value if sets else _alive(kinds, rows, ahead[place], seen) & below != below:
                return -1
    return found


@inlined
def _writes(kinds: Any, rows: Any, place: int) -> int:
    return int(rows[place, 1] if kinds[place] in (CAS, LOST_CAS) else rows[place, 0])


@compiled
def _alive(kinds: Any, rows: Any, ahead: int, wanted: int) -> int:
    """The values that the operations `ahead` can lead to, as a set; all of them if `wanted` is not among them."""
    alive = 1
    for place in range(len(kinds)):
        if ahead >> place & 1 and kinds[place] in (WRITE, LOST_WRITE):
            alive |= 1 << rows[place, 0]
    before = 0
    while alive != before and not alive >> wanted & 1:
        before = alive
        for place in range(len(kinds)):
            if ahead >> place & 1 and kinds[place] in (CAS, LOST_CAS) and alive >> rows[place, 0] & 1:
                alive |= 1 << rows[place, 1]
    return alive


@compiled
def is_first(kinds: Any, rows: Any, hopeless: int, swaps: Any) -> bool:
    """Whether no change of places, of one in `swaps` with the next, leads to a history that comes before this one."""
    for swap in swaps:
        if _comes_before(kinds, rows, hopeless, swap):
            return False
    return True


@compiled
def _comes_before(kinds: Any, rows: Any, hopeless: int, swap: int) -> bool:
    names = 0
    known = 0
    for place in range(len(kinds)):
        if kinds[place] == READ:
            continue
        value = _writes(kinds, rows, _source(place, swap))
        if names >> 4 * value & 15 == 0:
            known += 1
            names |= known << 4 * value
    for place in range(len(kinds)):
        source = _source(place, swap)
        if kinds[place] == READ and hopeless >> source & 1:
            continue
        for column in range(2):
            changed = names >> 4 * rows[source, column] & 15
            if changed != rows[place, column]:
                return bool(changed < rows[place, column])
    return False


@inlined
def _source(place: int, swap: int) -> int:
    if place == swap:
        return place + 1
    return place - 1 if place == swap + 1 else place
