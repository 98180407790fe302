"""What the operations of a history are, up to the names of processes and of values.

A value is one that is written, or the one at the beginning, which nobody writes; a read of any other has no order and is left out.
Values are numbered in the order in which they are first written, so that histories which differ in names only are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from psmr.checking.exhaustive.kinds import CAS, LOST, LOST_CAS, LOST_WRITE, READ, WRITE
from psmr.checking.exhaustive.shapes import Shape, shapes

KINDS = {"register": (WRITE, LOST_WRITE, READ), "cas-register": (WRITE, LOST_WRITE, CAS, LOST_CAS, READ)}
_CHOOSES = frozenset((READ, CAS, LOST_CAS))
PROCESSES = 3

Row = tuple[int, int]
"""Of a read what it read and 0; of a write what it wrote and 0; of a compare-and-set what it expects, and what it writes then."""


@dataclass(frozen=True, slots=True)
class Group:
    """Histories of one shape whose operations are of the same kinds."""

    shape: Shape
    kinds: tuple[int, ...]

    @property
    def writers(self) -> list[int]:
        """The places of the operations that write."""
        return [place for place, kind in enumerate(self.kinds) if kind != READ]

    @property
    def choosers(self) -> list[int]:
        """The places of the operations that expect a value, or saw one."""
        return [place for place, kind in enumerate(self.kinds) if kind in _CHOOSES]

    @property
    def count(self) -> int:
        """How many there are."""
        writers, choosers = len(self.writers), len(self.choosers)
        return sum(_partitions(writers, values) * (values + 1) ** choosers for values in range(writers + 1))

    def histories(self) -> Iterator[tuple[Row, ...]]:
        """Each history: its operations' values."""
        for written in numbered(len(self.writers)):
            known = range(max(written, default=0) + 1)
            for chosen in product(known, repeat=len(self.choosers)):
                yield self._rows(
                    dict(zip(self.writers, written, strict=True)), dict(zip(self.choosers, chosen, strict=True))
                )

    def history(self, number: int) -> tuple[Row, ...]:
        """The one that comes after `number` others."""
        for written in numbered(len(self.writers)):
            values = max(written, default=0) + 1
            here = values ** len(self.choosers)
            if number < here:
                chosen = [number // values**after % values for after in reversed(range(len(self.choosers)))]
                return self._rows(
                    dict(zip(self.writers, written, strict=True)), dict(zip(self.choosers, chosen, strict=True))
                )
            number -= here
        raise IndexError(f"expected a number below {self.count}, found one of {number} beyond")

    def _rows(self, written: dict[int, int], chosen: dict[int, int]) -> tuple[Row, ...]:
        return tuple(
            (chosen[place], written.get(place, 0)) if place in chosen else (written[place], 0)
            for place in range(len(self.kinds))
        )


def groups(model: str, operations: int) -> Iterator[Group]:
    """All histories of that many operations on three processes, some hundreds to some hundreds of thousands at a time."""
    for shape in shapes(operations):
        last = shape.blocks - 1
        choices = [KINDS[model] if end == last else _known(KINDS[model]) for _, end in shape.intervals]
        for kinds in product(*choices):
            lost = frozenset(place for place, kind in enumerate(kinds) if kind in LOST)
            if shape.most_at_once(lost) <= PROCESSES and _in_order(shape, kinds):
                yield Group(shape, kinds)


def _known(kinds: Sequence[int]) -> tuple[int, ...]:
    return tuple(kind for kind in kinds if kind not in LOST)


def _in_order(shape: Shape, kinds: Sequence[int]) -> bool:
    """Of operations that lie alike, and could change places, one order of their kinds is enough."""
    return all(
        shape.intervals[place] != shape.intervals[place + 1] or kinds[place] <= kinds[place + 1]
        for place in range(len(kinds) - 1)
    )


@lru_cache(None)
def numbered(count: int) -> tuple[tuple[int, ...], ...]:
    """Each way of naming what `count` writes write: 1 first, and each name one more than those before it at most."""
    if count == 0:
        return ((),)
    return tuple((*rest, value) for rest in numbered(count - 1) for value in range(1, max(rest, default=0) + 2))


@lru_cache(None)
def _partitions(count: int, parts: int) -> int:
    """Stirling's numbers of the second kind."""
    if count == parts:
        return 1
    if not 0 < parts < count:
        return 0
    return _partitions(count - 1, parts - 1) + parts * _partitions(count - 1, parts)
