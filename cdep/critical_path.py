"""The critical path: the longest chain of commands each of which must wait for the one before it.

However many workers there are, executing a program takes at least as long (Graham, *Bounds for Certain Multiprocessing
Anomalies*, 1966), so work ÷ critical path is the greatest speed-up that any engine could reach with these annotations. Only what
conflicts by C-Dep is ordered here; what the mapping to groups orders besides is `cdep.schedule_model`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep.compiled import compiled
from cdep.program import NOTHING, READ, WRITE, Program, Rules

EVERYTHING = -1
"""In place of a key: the whole state."""
_NOBODY = -2


@dataclass(frozen=True, slots=True, eq=False)
class CriticalPath:
    """`rows`: the commands on the path, in order. `through[i]`: the key for which rows[i] waits for the one before it.

    `costs_ns`: what each of them costs; `length_ns`: all together; `work_ns`: what all commands cost.
    """

    rows: NDArray[np.int64]
    through: NDArray[np.int64]
    costs_ns: NDArray[np.float64]
    length_ns: float
    work_ns: float

    @property
    def speed_up_max(self) -> float:
        """Work ÷ path; 1.0 of nothing."""
        return self.work_ns / self.length_ns if self.length_ns else 1.0


def critical_path(program: Program, rules: Rules, order: NDArray[np.int64] | None = None) -> CriticalPath:
    """The path of a program; `order`: the rows in the order of execution, where that is not the order in which they stand."""
    count = program.count
    before = np.full(count, -1, np.int64)
    through = np.full(count, _NOBODY, np.int64)
    ends = np.zeros(count)
    rows = np.arange(count) if order is None else order
    by_key = np.zeros((len(program.names) + 1, 2))
    by_row = np.full((len(program.names) + 1, 2), -1, np.int64)
    _finish(
        program.op,
        program.keys,
        program.service_ns,
        rows,
        rules.whole,
        rules.access,
        ends,
        before,
        through,
        by_key,
        by_row,
    )
    path = [int(ends.argmax())] if count else []
    while path and before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    found = np.array(path[::-1], np.int64)
    costs_ns = program.service_ns[found]
    return CriticalPath(found, through[found], costs_ns, float(ends.max(initial=0.0)), float(program.service_ns.sum()))


@compiled
def _finish(
    op: Any,
    keys: Any,
    cost: Any,
    order: Any,
    whole: Any,
    access: Any,
    ends: Any,
    before: Any,
    through: Any,
    by_key: Any,
    by_row: Any,
) -> None:
    """When each command ends if it begins as soon as all that it must wait for have ended.

    `by_key`, `by_row`: for each key, and last for everything at once, (end of the last write, end of the last read since) and
    whose they are.
    """
    last = len(by_key) - 1
    # The end of the last of all writes, and of whatever touches anything: what commands on everything wait for.
    any_end = np.zeros(2)
    any_row = np.full(2, -1, np.int64)
    for row in order:
        kind = op[row]
        start, waits_for, key = 0.0, -1, _NOBODY
        writes = whole[kind] == WRITE
        touches = whole[kind] != NOTHING
        if whole[kind] == WRITE:
            start, waits_for, key = any_end[1], any_row[1], EVERYTHING
        elif whole[kind] == READ:
            start, waits_for, key = any_end[0], any_row[0], EVERYTHING
        else:
            for place in range(access.shape[1]):
                how = access[kind, place]
                if how == NOTHING:
                    continue
                touches = True
                writes = writes or how == WRITE
                number = keys[row, place]
                for part in range(how):
                    if by_key[number, part] > start:
                        start, waits_for, key = by_key[number, part], by_row[number, part], number
            for part in range((WRITE if writes else READ) if touches else 0):
                if by_key[last, part] > start:
                    start, waits_for, key = by_key[last, part], by_row[last, part], EVERYTHING
        end = start + cost[row]
        ends[row] = end
        if start > 0.0:
            before[row] = waits_for
            through[row] = key
        if not touches:
            continue
        if end > any_end[1]:
            any_end[1], any_row[1] = end, row
        if writes and end > any_end[0]:
            any_end[0], any_row[0] = end, row
        if whole[kind] != NOTHING:
            part = 0 if writes else 1
            if end > by_key[last, part]:
                by_key[last, part], by_row[last, part] = end, row
            continue
        for place in range(access.shape[1]):
            how = access[kind, place]
            if how != NOTHING:
                part = 0 if how == WRITE else 1
                number = keys[row, place]
                if end > by_key[number, part]:
                    by_key[number, part], by_row[number, part] = end, row
