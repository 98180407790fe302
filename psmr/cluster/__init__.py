"""Clusters on this machine: replicas as child processes, and asking replicas anywhere how they are."""

from psmr.cluster.local import LocalCluster
from psmr.cluster.presence import explained
from psmr.cluster.processes import ReplicaProcess, stop_all
from psmr.cluster.status import ReplicaStatus, ask, majority

__all__ = ["LocalCluster", "ReplicaProcess", "ReplicaStatus", "ask", "explained", "majority", "stop_all"]
