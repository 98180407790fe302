"""A service whose commands cost what they are told to: for measuring what meeting costs on this machine."""

from __future__ import annotations

from cdep import StateMachine, dependent, partially_dependent
from cdep.types import u32, u64
from psmr.state.array import Array

CELLS = 4096


class Probe(StateMachine):
    """Turns a crank; the result goes into a cell."""

    cells = Array(u64, capacity=CELLS)

    @partially_dependent("cell")
    def turn(self, cell: u32, rounds: u32) -> None:
        """Work on one cell."""
        self.cells[cell] = self._crank(rounds, self.cells[cell])

    @dependent
    def meet(self, cell: u32, rounds: u32) -> None:
        """The same, ordered against everything."""
        self.cells[cell] = self._crank(rounds, self.cells[cell])

    def _crank(self, rounds: u32, value: u64) -> u64:
        for _ in range(rounds):
            value = value * u64(6364136223846793005) + u64(1442695040888963407)
            value = value ^ (value >> u64(29))
        return value
