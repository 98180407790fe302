"""What must hold in every run, one file an invariant, by the names of the Raft paper (its figure 3)."""

from psmr.simulation.invariants.invariant import Invariant, InvariantViolated, Observed
from psmr.simulation.invariants.watch import Watch

__all__ = ["Invariant", "InvariantViolated", "Observed", "Watch"]
