"""State machine safety: no two replicas ever deliver different entries for the same index."""

from __future__ import annotations

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated


class StateMachineSafety:
    """Compares, byte for byte, what each replica delivers, from its start on, with what was delivered first."""

    def __init__(self) -> None:
        self.delivered: list[bytes] = []
        self._progress: dict[int, int] = {}

    def started(self, replica: Observed) -> None:
        """It delivers the log from its snapshot on, or from the first entry."""
        self._progress[replica.me] = replica.delivered

    def check(self, replica: Observed) -> None:
        """The entries that were delivered since the last look."""
        done, now = self._progress[replica.me], replica.delivered
        for index in range(done + 1, now + 1):
            record = replica.store.record(index)
            assert record is not None, (
                f"entry {index} was delivered by replica {replica.me}, whose log has it no longer"
            )
            raw = bytes(record.raw)
            if index > len(self.delivered):
                self.delivered.append(raw)
            elif self.delivered[index - 1] != raw:
                raise InvariantViolated(
                    "state machine safety",
                    f"expected replica {replica.me} to deliver at index {index} the entry that another did; found one "
                    f"of term {record.term}",
                )
        self._progress[replica.me] = now
