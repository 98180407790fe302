"""`Hint`: what a worker remembers to save itself work, beside the state."""

from __future__ import annotations

from typing import TypeVar

from psmr.state.array import Array

V = TypeVar("V")


class Hint(Array[V]):
    """An `Array` that is no part of the replicated state: no digest, no snapshot has it, and after a restart it is all zeros.

    Replicas may hold different hints, so what a command replies, writes and emits must be the same whatever the hint is, 0
    included: a bound that is checked again where it decides, the place where a search begins. As with an array, a
    command may touch row *i* only if it depends on *i*; a command that raises leaves no trace in it.
    """

    def specification(self) -> str:
        return f"Hint({self.value.name}, {self._extent()})"

    @property
    def replicated(self) -> bool:
        return False
