"""State machine safety: no two replicas ever deliver different entries for the same index."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Commit, Effect, Raft
from psmr.simulation.disk import Entry
from psmr.simulation.invariants.invariant import Invariant, Observed


class StateMachineSafety(Invariant):
    """Compares what each replica delivers, from its start on, with what was delivered first."""

    name = "state machine safety"
    watches = (Commit,)

    def __init__(self, replicas: Sequence[Observed]) -> None:
        super().__init__(replicas)
        self._delivered: list[Entry] = []
        self._progress: dict[int, tuple[Raft | None, int]] = {}

    def check(self, replica: Observed, effect: Effect) -> None:
        """The entries up to the new commit index, from the old one on, or from 1 after a restart."""
        if not isinstance(effect, Commit):
            return
        node, done = self._progress.get(replica.me, (None, 0))
        done = done if node is replica.node else 0
        entries = replica.disk.entries
        if not done < effect.index <= len(entries):
            self.fail(f"replica {replica.me} commits {effect.index}, expected {done + 1} to {len(entries)}")
        for index in range(done + 1, effect.index + 1):
            self._deliver(replica, index, entries[index - 1])
        self._progress[replica.me] = (replica.node, effect.index)

    def _deliver(self, replica: Observed, index: int, entry: Entry) -> None:
        if index > len(self._delivered):
            self._delivered.append(entry)
        elif self._delivered[index - 1] != entry:
            self.fail(
                f"expected replica {replica.me} to deliver {self._delivered[index - 1]} at index {index}, as another "
                f"did; found {entry}"
            )
