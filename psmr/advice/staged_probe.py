"""A service in stages whose commands cost what they are told to, and wait where they are told to."""

from __future__ import annotations

from cdep import WAIT, Carried, StateMachine, dependent, early, partially_dependent
from cdep.types import i64, u32, u64
from psmr.advice.probe import CELLS
from psmr.state.array import Array


class StagedProbe(StateMachine):
    """Turns a crank, before and behind; the results go into cells of their own. One command of each way to be ordered."""

    before = Array(u64, capacity=CELLS)
    behind = Array(u64, capacity=CELLS)

    @partially_dependent("cell")
    def both(self, first: u32, cell: u32, begun: u32, rounds: u32, waits: u32, carried: Carried) -> None:
        """An early stage, and a main one."""
        self.behind[cell] = self._crank(rounds, self.behind[cell])

    @early(both, "first")
    def _begin(self, first: u32, begun: u32, waits: u32) -> i64:
        self.before[first] = self._crank(begun, self.before[first])
        if waits != 0:
            return WAIT
        return i64(0)

    @partially_dependent("first", stage="early")
    def begin(self, first: u32, rounds: u32) -> None:
        """An early stage alone."""
        self.before[first] = self._crank(rounds, self.before[first])

    @partially_dependent("cell")
    def turn(self, cell: u32, rounds: u32) -> None:
        """A main stage alone."""
        self.behind[cell] = self._crank(rounds, self.behind[cell])

    @partially_dependent("first", stage="exact")
    def decide(self, first: u32, rounds: u32) -> None:
        """Waits for everything before it; belongs to one worker."""
        self.before[first] = self._crank(rounds, self.before[first])

    @dependent
    def meet(self, cell: u32, rounds: u32) -> None:
        """Waits for everything before it; all workers stop."""
        self.behind[cell] = self._crank(rounds, self.behind[cell])

    def _crank(self, rounds: u32, value: u64) -> u64:
        for _ in range(rounds):
            value = value * u64(6364136223846793005) + u64(1442695040888963407)
            value = value ^ (value >> u64(29))
        return value
