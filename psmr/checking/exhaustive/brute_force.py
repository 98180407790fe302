"""The search that tries every order, compiled: nothing is remembered, nothing left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from cdep.compiled import compiled
from psmr.checking.exhaustive.kinds import CAS, LOST_CAS, LOST_WRITE, READ

OPERATIONS_MAX = 16


@compiled
def _follows(operation: int, placed: int, firsts: Any, lasts: Any, kinds: Any) -> bool:
    """Whether nothing that precedes `operation` is left."""
    for other in range(len(kinds)):
        is_left = not placed >> other & 1 and kinds[other] < LOST_WRITE
        if is_left and lasts[other] < firsts[operation]:
            return False
    return True


@compiled
def has_an_order(firsts: Any, lasts: Any, kinds: Any, rows: Any) -> bool:
    """Whether some order of the operations explains what they read. Arrays of int64; `rows` has two columns."""
    count = len(kinds)
    due = 0
    for operation in range(count):
        if kinds[operation] < LOST_WRITE:
            due |= 1 << operation
    placed_at = np.zeros(OPERATIONS_MAX + 1, np.int64)
    state_at = np.zeros(OPERATIONS_MAX + 1, np.int64)
    next_at = np.zeros(OPERATIONS_MAX + 1, np.int64)
    depth = 0
    while depth >= 0:
        placed, state, operation = placed_at[depth], state_at[depth], next_at[depth]
        if placed & due == due:
            return True
        if operation == count:
            depth -= 1
            continue
        next_at[depth] += 1
        if placed >> operation & 1 or not _follows(operation, placed, firsts, lasts, kinds):
            continue
        kind, first, second = kinds[operation], rows[operation, 0], rows[operation, 1]
        conditional = kind in (READ, CAS, LOST_CAS)
        if conditional and state != first:
            continue
        depth += 1
        placed_at[depth] = placed | 1 << operation
        state_at[depth] = state if kind == READ else second if conditional else first
        next_at[depth] = 0
    return False
