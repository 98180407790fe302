"""A service whose commands cost what they are told to: for measuring the engine around them."""

from __future__ import annotations

from psmr import Array, StateMachine, dependent, partially_dependent, u32, u64

CELLS = 4096


class Work(StateMachine):
    """Turns the crank `rounds` times and adds the result to a cell."""

    cells = Array(u64, capacity=CELLS)

    @partially_dependent("cell")
    def turn(self, cell: u32, rounds: u32, seed: u64) -> u64:
        """Work on one cell."""
        value = self._crank(rounds, seed ^ self.cells[cell])
        self.cells[cell] = value
        return value

    @dependent
    def turn_alone(self, cell: u32, rounds: u32, seed: u64) -> u64:
        """The same, ordered against everything."""
        value = self._crank(rounds, seed ^ self.cells[cell])
        self.cells[cell] = value
        return value

    def _crank(self, rounds: u32, value: u64) -> u64:
        for _ in range(rounds):
            value = value * u64(6364136223846793005) + u64(1442695040888963407)
            value = value ^ (value >> u64(29))
        return value


class CommutativeWork(Work, order="commutative"):
    """The same; what goes to all groups is executed after the rest of its batch."""
