"""What each command costs, from batches that hold different numbers of each: least squares without negative costs. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 4
_FACTOR = 1.5
_DEVIATIONS = 6.0
_DRAWN = 0.01
"""As much as one or two calls of a command in a batch of a hundred say of its cost."""


def fitted(counts: NDArray[Any], busy_ns: NDArray[Any]) -> NDArray[np.float64]:
    """The cost of each command, in ns, and last of a batch: a row of `counts` a batch, a column a command.

    Batches that took far longer than the others say they should have were interrupted, and tell nothing. A command that hardly
    ever comes is drawn towards what commands cost on average; one that never comes costs that.
    """
    present = np.flatnonzero(counts.sum(axis=0))
    columns = np.column_stack([counts[:, present], np.ones(len(counts))]).astype(np.float64)
    kept = np.ones(len(counts), np.bool_)
    found = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        weights = 1.0 / np.sqrt(np.maximum(columns[kept, :-1].sum(axis=1), 1.0))
        average_ns = float(busy_ns[kept].sum()) / max(1.0, float(columns[kept, :-1].sum()))
        drawn = np.sqrt(_DRAWN) * np.eye(len(present), len(present) + 1)
        rows = np.vstack([columns[kept] * weights[:, None], drawn])
        values = np.concatenate([busy_ns[kept] * weights, np.full(len(present), np.sqrt(_DRAWN) * average_ns)])
        found = _least_squares(rows, values)
        expected = columns @ found
        rest = busy_ns - expected
        spread = 1.4826 * float(np.median(np.abs(rest[kept])))
        kept = ~((rest > _DEVIATIONS * spread) & (busy_ns > _FACTOR * expected))
    costs = np.full(counts.shape[1] + 1, float((columns @ found).sum()) / max(1, counts.sum()))
    costs[present] = found[:-1]
    costs[-1] = found[-1]
    return costs


def _least_squares(columns: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float64]:
    """The solution without negative parts: those that would be are left out, the most negative first."""
    used = list(range(columns.shape[1]))
    while used:
        found = np.linalg.lstsq(columns[:, used], values, rcond=None)[0]
        if found.min() >= 0:
            result = np.zeros(columns.shape[1])
            result[used] = found
            return result
        used.pop(int(found.argmin()))
    return np.zeros(columns.shape[1])
