"""What each read may come of, in the memory of a search: what `Layout` writes there for a model with foresight, compiled.

Every write begins anew here, so that a read comes of a write that wrote what it saw, or of none. The number of a reply is the
value itself.
"""

from __future__ import annotations

from typing import Any

from cdep.compiled import compiled, inlined
from psmr.checking.exhaustive.kinds import READ
from psmr.checking.memory import (
    AT_LEFT,
    AT_LINK_STARTS,
    AT_LINKS,
    AT_OPERATIONS,
    AT_RANKS,
    AT_READ_STARTS,
    AT_READS,
    AT_STATES,
    CALLED,
    COLUMNS,
    DUE,
    IMPOSSIBLE,
    STALE,
)

STATE = 1
"""The number of the state of the first value: those of others follow."""


@compiled
def link(memory: Any, places: Any, kinds: Any, rows: Any) -> int:
    """Write it, where nothing of the kind is. `places`: by operation its row. The values that are read, as a set."""
    count = len(kinds)
    seen = top = 0
    for row in range(memory[AT_LINKS] - memory[AT_LINK_STARTS]):
        memory[memory[AT_LINK_STARTS] + row] = top
        for place in range(count):
            if places[place] == row:
                before = top
                top = _link_row(memory, places, kinds, rows, place, top)
                memory[memory[AT_LEFT] + row] = top - before
                if kinds[place] == READ:
                    seen |= 1 << rows[place, 0]
                    memory[memory[AT_RANKS] + row] = rows[place, 0]
                    _add_read(memory, row, is_possible=top > before or rows[place, 0] == 0)
    memory[memory[AT_STATES]] = STATE if seen & 1 else STALE
    return seen


@compiled
def _link_row(memory: Any, places: Any, kinds: Any, rows: Any, place: int, top: int) -> int:
    for other in range(len(kinds)):
        if (kinds[other] == READ) == (kinds[place] == READ) or rows[other, 0] != rows[place, 0]:
            continue
        read, write = (place, other) if kinds[place] == READ else (other, place)
        if _of(memory, places[read], DUE) >= _of(memory, places[write], CALLED):
            memory[memory[AT_LINKS] + top] = places[other]
            top += 1
    return top


@inlined
def _add_read(memory: Any, row: int, is_possible: bool) -> None:
    """Among those that are possible, the first due first."""
    due = _of(memory, row, DUE)
    if not is_possible:
        memory[IMPOSSIBLE] = min(memory[IMPOSSIBLE], due)
        return
    begin = memory[AT_READS]
    at = begin + memory[memory[AT_READ_STARTS] + 1]
    memory[memory[AT_READ_STARTS] + 1] += 1
    while at > begin and _of(memory, memory[at - 1], DUE) > due:
        memory[at] = memory[at - 1]
        at -= 1
    memory[at] = row


@inlined
def _of(memory: Any, row: int, column: int) -> int:
    return int(memory[memory[AT_OPERATIONS] + COLUMNS * row + column])
