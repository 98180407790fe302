"""The cluster's file: `load` or `parse` it, or make a `local_cluster` without one."""

from psmr.config.cluster import (
    ClusterConfig,
    ReplicaConfig,
    Tuning,
    load,
    local_cluster,
    parse,
    with_replica,
)

__all__ = ["ClusterConfig", "ReplicaConfig", "Tuning", "load", "local_cluster", "parse", "with_replica"]
