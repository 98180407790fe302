"""A seeded simulator of the whole path, from the client's window to the executed command: `psmr sim`.

Everything but disk, network, clock and workers is production code: `Conversation` and `Submission` on the client's
side; `Replica`, `Delivery`, `Sessions`, `Reads`, `RaftLog` and `Raft` on a replica's.
"""

from psmr.simulation.cluster.simulation import ClusterResult, ClusterSimulation, simulate_cluster

__all__ = ["ClusterResult", "ClusterSimulation", "simulate_cluster"]
