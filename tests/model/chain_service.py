"""A service whose state remembers the order of everything: each cell is a hash chain of the commands that touched it."""

from __future__ import annotations

from psmr import Array, StateMachine, dependent, partially_dependent, u32, u64

CELLS = 32


class Chains(StateMachine):
    """Two commands swapped on one cell, run at once, left out or run twice leave another chain."""

    cells = Array(u64, capacity=CELLS)

    @partially_dependent("cell")
    def link(self, cell: u32, mark: u64) -> u64:
        """Add to one chain."""
        return self._link(cell, mark)

    @partially_dependent("first", "second", domain="cell")
    def tie(self, first: u32, second: u32, mark: u64) -> u64:
        """Add to two chains, each what the other was."""
        before = self.cells[first]
        self._link(first, mark ^ self.cells[second])
        return self._link(second, mark ^ before)

    @dependent
    def tie_all(self, mark: u64) -> u64:
        """Add to every chain what the one before it has become."""
        value = mark
        for cell in range(CELLS):
            value = self._link(cell, value)
        return value

    @partially_dependent("cell")
    def refuse(self, cell: u32, mark: u64) -> u64:
        """Add to a chain, then raise: nothing is to be left of it."""
        value = self._link(cell, mark)
        if value != mark:
            raise ValueError("refused")
        return value

    def _link(self, cell: int, mark: u64) -> u64:
        value = (self.cells[cell] ^ mark) * u64(6364136223846793005) + u64(1442695040888963407)
        value = value ^ (value >> u64(31))
        self.cells[cell] = value
        return value
