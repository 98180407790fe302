"""Two states compared: word by word where something was written, and cell by cell where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from psmr.errors import ConfigurationError
from psmr.execution.memory import Memory
from psmr.replaying.cells import CellName, Cells
from psmr.replaying.noted import Notes

_NONE = np.zeros(0, np.int64)


class CellDifference(NamedTuple):
    """A cell that two states do not hold alike; None for a key that is not there."""

    cell: CellName
    expected: Any
    found: Any
    places: tuple[str | None, str | None] = (None, None)


class TwoStates:
    """The states of two engines, while nothing executes: of the fields that both services have, which must have one form."""

    def __init__(self, first: Memory, second: Memory) -> None:
        self._memories = (first, second)
        self.cells = (Cells(first), Cells(second))
        forms = [{name: each.specification() for name, each in memory.containers.items()} for memory in self._memories]
        self.common = [name for name in self.cells[0].containers if name in forms[1]]
        others = [name for name in self.common if forms[0][name] != forms[1][name]]
        if others:
            name = others[0]
            raise ConfigurationError(
                f"expected services whose fields of one name have one form, found {name} as {forms[0][name]} and as "
                f"{forms[1][name]}: compare versions that keep it as it is"
            )
        if not self.common:
            raise ConfigurationError(
                "expected two services with a field in common, found none: compare versions of one service"
            )

    def are_equal(self) -> bool:
        """Whether all of the common state is equal: reads all of it."""
        one, other = (self._digest(memory) for memory in self._memories)
        return one == other

    def _digest(self, memory: Memory) -> int:
        digest = xxhash.xxh3_64()
        for base, (name, container) in zip(memory.bases, memory.containers.items(), strict=True):
            if name in self.common:
                for piece in container.content(memory.region, base):
                    digest.update(piece)
        return digest.intdigest()

    def are_equal_where_written(self, first: Notes, second: Notes) -> bool:
        """Whether two states that were equal are so still, after what was noted of each: looks at nothing else."""
        written = [self._written(*each) for each in zip(self.cells, (first, second), strict=True)]
        for name in self.common:
            offsets = np.concatenate([each.get(name, _NONE) for each in written])
            held = [self._content(number, name, offsets) for number in (0, 1)]
            if not np.array_equal(held[0], held[1]):
                return False
        return True

    def _written(self, cells: Cells, notes: Notes) -> dict[str, NDArray[np.int64]]:
        """Of each container the words noted, counted in bytes from its beginning."""
        addresses = notes.addresses()
        return {name: addresses[inside] - cells.base_of(name) for name, inside in cells.by_container(addresses)}

    def _content(self, number: int, name: str, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """The words at these places, 0 where no content is: in the index of a map, or behind its entries."""
        region = self._memories[number].region
        addresses = offsets + self.cells[number].base_of(name)
        words: NDArray[np.int64] = region.words[(addresses - region.address) >> 3]
        return np.where(self.cells[number].content_only(name, addresses), words, 0)

    def differences(self) -> Iterator[CellDifference]:
        """The cells that are not alike: reads all of the state."""
        for name in self.common:
            one, other = (dict(cells.content(name)) for cells in self.cells)
            for cell in dict.fromkeys((*one, *other)):
                expected, found = one.get(cell), other.get(cell)
                if expected != found:
                    values = [None if held is None else held.value for held in (expected, found)]
                    places = [None if held is None else held.place for held in (expected, found)]
                    yield CellDifference(cell, values[0], values[1], (places[0], places[1]))
