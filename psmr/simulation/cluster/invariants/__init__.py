"""What must hold in every run of the whole path, one file an invariant, by the names of the papers."""

from psmr.simulation.cluster.invariants.damage_is_found import check_log, check_snapshot
from psmr.simulation.cluster.invariants.followed_once import FollowedOnce
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.cluster.invariants.watch import Watch

__all__ = ["FollowedOnce", "Observed", "Watch", "check_log", "check_snapshot"]
