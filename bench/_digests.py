"""Whether replicas that were measured did the same."""

from __future__ import annotations

import time

from psmr.cluster.local import LocalCluster
from psmr.errors import ClusterUnavailable

_CATCH_UP_S = 30.0
_LOOK_S = 0.01


def digests(cluster: LocalCluster) -> list[str]:
    """Every replica's digest of state and sessions, once all have executed the whole log."""
    deadline = time.monotonic() + _CATCH_UP_S
    while True:
        statuses = cluster.statuses(digest=True)
        places = {(status.get("delivered"), status.get("last_index")) for status in statuses}
        if len(places) == 1 and all(status.reachable for status in statuses):
            return [f"{status.get('digest')}-{status.get('sessions_digest')}" for status in statuses]
        if time.monotonic() > deadline:
            raise ClusterUnavailable(f"bench: expected the replicas at one log index, found {places}")
        time.sleep(_LOOK_S)  # each look has every replica go through its whole state
