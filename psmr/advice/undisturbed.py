"""What something takes where nobody else uses the machine, from many measurements on one that others use, too. Pure.

Who else uses a processor only takes time away, so of many short measurements the quick ones say most: the lower quartile, which
neither the half that others disturbed moves nor one lucky measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import quantiles

PIECE = 4
"""Batches that are one measurement: long enough that batches of one workload differ little, short enough to go undisturbed."""


def undisturbed(values: Iterable[float]) -> float:
    """The lower quartile; of one value that. Raises ValueError for none."""
    found = list(values)
    if not found:
        raise ValueError("undisturbed: expected measurements, found none")
    return found[0] if len(found) == 1 else quantiles(found, n=4, method="inclusive")[0]


def pieces(took_ns: Sequence[float], counts: Sequence[float], size: int = PIECE) -> list[float]:
    """What one took on average in each piece of `size` batches that took so long for so many; what is left over counts if alone."""
    found = [(sum(taken), sum(count)) for taken, count in zip(_cut(took_ns, size), _cut(counts, size), strict=True)]
    return [taken / count for taken, count in found if count]


def _cut(values: Sequence[float], size: int) -> list[Sequence[float]]:
    whole = [values[place : place + size] for place in range(0, len(values) - size + 1, size)]
    return whole or [values]
