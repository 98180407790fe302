"""Log matching: if two logs contain an entry with the same index and term, they are identical up to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from psmr.core.raft import Append, Effect
from psmr.simulation.disk import Entry
from psmr.simulation.invariants.invariant import Invariant, Observed


class LogMatching(Invariant):
    """By induction: an entry's index and term decide its payload and the term of the entry before it."""

    name = "log matching"
    watches = (Append,)

    def __init__(self, replicas: Sequence[Observed]) -> None:
        super().__init__(replicas)
        self._known: dict[tuple[int, int], tuple[object, int]] = {}

    def check(self, replica: Observed, effect: Effect) -> None:
        """Every entry appended is the one known by its index and term, behind the same one."""
        if not isinstance(effect, Append):
            return
        entries = replica.disk.entries
        if len(entries) != effect.first_index - 1:
            self.fail(f"replica {replica.me} appends at {effect.first_index}, expected {len(entries) + 1}")
        previous_term = entries[-1][0] if entries else 0
        for index, (term, payload) in enumerate(
            zip(effect.entry_terms, effect.payloads, strict=True), effect.first_index
        ):
            known = self._known.setdefault((index, term), (payload, previous_term))
            if known != (payload, previous_term):
                self.fail(
                    f"entry {index} of term {term} at replica {replica.me}: expected payload {known[0]!r} behind an "
                    f"entry of term {known[1]}, found {payload!r} behind term {previous_term}"
                )
            previous_term = term

    def check_all(self) -> None:
        """Every two logs, entry by entry."""
        for one, two in combinations(self.replicas, 2):
            agreed = _last_agreed(one.disk.entries, two.disk.entries)
            if one.disk.entries[:agreed] != two.disk.entries[:agreed]:
                self.fail(f"replicas {one.me} and {two.me} have an equal entry {agreed} behind unequal ones")


def _last_agreed(one: list[Entry], two: list[Entry]) -> int:
    """The last index at which both logs have an entry of the same term; 0 when there is none."""
    for index in range(min(len(one), len(two)), 0, -1):
        if one[index - 1][0] == two[index - 1][0]:
            return index
    return 0
