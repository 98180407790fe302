"""Confirmed reads are fresh: a confirmed read index is never below what was committed anywhere when it was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.core.raft import Commit, Effect, ReadConfirmed
from psmr.simulation.invariants.invariant import Invariant, Observed


class ConfirmedReads(Invariant):
    """Remembers, for each token, the greatest index that any replica had said was committed when it was asked for."""

    name = "confirmed reads are fresh"
    watches = (Commit, ReadConfirmed)

    def __init__(self, replicas: Sequence[Observed]) -> None:
        super().__init__(replicas)
        self.count = 0
        self._committed = 0
        self._asked: dict[int, int] = {}

    def asked(self, token: int) -> None:
        """Someone is about to ask."""
        self._asked[token] = self._committed

    def check(self, replica: Observed, effect: Effect) -> None:
        """Committed: nothing asked from now on may see less. Confirmed: does it see enough?"""
        if isinstance(effect, Commit):
            self._committed = max(self._committed, effect.index)
        elif isinstance(effect, ReadConfirmed):
            self.count += 1
            least = self._asked.pop(effect.token, None)
            if least is None:
                self.fail(f"replica {replica.me} confirms read {effect.token}, which it was not asked for, or twice")
            elif effect.index < least:
                self.fail(
                    f"expected replica {replica.me} to confirm read {effect.token} at index {least} or later, which "
                    f"was committed when it was asked; found {effect.index}"
                )
