"""What an invariant is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from psmr.core.raft import Effect, Raft
from psmr.errors import Violation
from psmr.simulation.disk import SimulatedDisk


class InvariantViolated(Violation):
    """A run broke an invariant. `invariant` is its name."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant


class Observed(Protocol):
    """What an invariant may look at of a replica."""

    me: int
    disk: SimulatedDisk
    node: Raft | None


class Invariant:
    """Checked step by step from the effects it watches, and as a whole, the slow and obvious way, now and then."""

    name: ClassVar[str]
    watches: ClassVar[tuple[type[Effect], ...]] = ()

    def __init__(self, replicas: Sequence[Observed]) -> None:
        self.replicas = replicas

    def check(self, replica: Observed, effect: Effect) -> None:
        """Called with every effect of a watched type, before it is performed."""

    def check_all(self) -> None:
        """Called after every crash and at the end of a run."""

    def fail(self, detail: str) -> None:
        """Raise `InvariantViolated`."""
        raise InvariantViolated(self.name, detail)
