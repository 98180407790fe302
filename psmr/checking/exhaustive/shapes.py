"""In which ways operations can lie in time, where only what precedes what counts.

Two calls with no answer between them may change places, and so may two answers: neither makes one operation precede another.
So a history is blocks of calls and answers in turn, an operation is (the block of its call, the block of its answer), and every
block is somebody's. These are the interval orders, as many as there are upper triangular matrices without an empty row or
column whose entries sum up to the number of operations: 1, 2, 5, 15, 53, 217, ... (Fishburn, *Interval Orders and Interval
Graphs*, 1985).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Shape(NamedTuple):
    """`intervals`: of each operation the block of its call and of its answer, in order; there are `blocks` of each."""

    blocks: int
    intervals: tuple[tuple[int, int], ...]

    def most_at_once(self, unknown: frozenset[int] = frozenset()) -> int:
        """How many processes it takes. A process of which it is `unknown` what became is gone at once."""
        return max(
            sum(
                first == block if place in unknown else first <= block <= last
                for place, (first, last) in enumerate(self.intervals)
            )
            for block in range(self.blocks)
        )


def shapes(operations: int) -> Iterator[Shape]:
    """Each way in which that many operations can lie in time, once."""
    for blocks in range(1, operations + 1):
        places = [(first, last) for first in range(blocks) for last in range(first, blocks)]
        for intervals in _chosen(places, operations):
            if len({first for first, _ in intervals}) == len({last for _, last in intervals}) == blocks:
                yield Shape(blocks, intervals)


def _chosen(places: list[tuple[int, int]], count: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Each multiset of `count` places, in their order."""
    if not places:
        if count == 0:
            yield ()
        return
    for times in range(count + 1):
        for rest in _chosen(places[1:], count - times):
            yield (places[0],) * times + rest
