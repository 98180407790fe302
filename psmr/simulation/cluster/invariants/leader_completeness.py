"""Leader completeness: an entry committed in a term is in the logs of the leaders of all greater terms."""

from __future__ import annotations

from psmr.core.raft import Role, RoleChanged
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class LeaderCompleteness:
    """Looks into the log of every leader when it is elected."""

    def check(self, replica: Observed, change: RoleChanged, delivered: list[bytes], terms: list[int]) -> None:
        """Whoever leads has what was delivered in earlier terms; `terms`: in which term each entry was first delivered."""
        if change.role is not Role.LEADER:
            return
        store = replica.store
        for index, (raw, term) in enumerate(zip(delivered, terms, strict=True), 1):
            if index <= store.base[0]:
                continue
            record = store.record(index)
            if term < change.term and (record is None or record.raw != raw):
                raise InvariantViolated(
                    "leader completeness",
                    f"expected the leader of term {change.term}, replica {replica.me}, to have entry {index}, which was "
                    f"delivered in term {term}; its log up to {store.last_index} has not",
                )
