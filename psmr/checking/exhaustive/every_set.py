"""The orders of a history, without any shortcut but one: that only the set of what is placed, and the state, matter later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from cdep.compiled import compiled
from psmr.checking.exhaustive.kinds import CAS, LOST, LOST_CAS, READ
from psmr.checking.exhaustive.shapes import Shape


@lru_cache(maxsize=4096)
def extensions(shape: Shape, lost: tuple[bool, ...]) -> np.ndarray:
    """Each set of operations that can be placed, each operation that can be next, and the set then; smaller sets first."""
    count = len(lost)
    before = [
        sum(
            1 << other
            for other in range(count)
            if not lost[other] and shape.intervals[other][1] < shape.intervals[place][0]
        )
        for place in range(count)
    ]
    found = []
    can_be = {0}
    for placed in range(1 << count):
        if placed in can_be:
            for place in range(count):
                if not placed >> place & 1 and placed & before[place] == before[place]:
                    found.append((placed, place, placed | 1 << place))
                    can_be.add(placed | 1 << place)
    return np.array(found, np.int64)


def must_be(kinds: Sequence[int]) -> int:
    """The operations that every order has, as a set."""
    return sum(1 << place for place, kind in enumerate(kinds) if kind not in LOST)


@compiled
def is_explained(further: Any, due: int, kinds: Any, rows: Any, states: Any) -> bool:
    """Whether some order explains what the operations read. `further` as of `extensions`; `states`: room."""
    if due == 0:
        return True
    states[:] = 0
    states[0] = 1
    for at in range(len(further)):
        held = states[further[at, 0]]
        if held == 0:
            continue
        place, placed = further[at, 1], further[at, 2]
        kind, first = kinds[place], rows[place, 0]
        if kind == READ:
            after = held & 1 << first
        elif kind in (CAS, LOST_CAS):
            after = (held >> first & 1) << rows[place, 1]
        else:
            after = 1 << first
        if after and placed & due == due:
            return True
        states[placed] |= after
    return False
