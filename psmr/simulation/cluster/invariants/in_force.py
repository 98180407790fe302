"""Which members are in force for certain: those of the newest entry about them that any replica knows to be committed."""

from __future__ import annotations

from psmr.core.control import Kind, kind_of
from psmr.core.roster import Roster, decode_roster
from psmr.simulation.cluster.invariants.observed import Observed


class InForce:
    """Begins with the founders."""

    def __init__(self, founders: Roster) -> None:
        self.roster = founders
        self.voters = founders.voters
        self._since = 0

    def check(self, replica: Observed) -> None:
        """A replica took a turn, and may have found an entry to be committed."""
        committed = replica.log.committed
        for index in reversed(replica.store.control_indexes):
            if index <= self._since:
                return
            record = replica.store.record(index) if index <= committed else None
            if record is not None and kind_of(record.payload) is Kind.ROSTER:
                self._since, self.roster = index, decode_roster(record.payload)
                self.voters = self.roster.voters
                return
