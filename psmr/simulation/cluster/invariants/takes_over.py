"""A version takes over at one index: what one version executed here, no other does elsewhere, and each executes its own batches."""

from __future__ import annotations

from collections.abc import Iterable

from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated

_NAME = "a version takes over at one index"


class TakesOver:
    """`executed_by`: of each operation of the log, the version that executed it first."""

    def __init__(self) -> None:
        self.executed_by: dict[int, int] = {}

    def executing(self, replica: int, fingerprint: int, operation: int) -> None:
        """A replica executes an operation."""
        known = self.executed_by.setdefault(operation, fingerprint)
        if known != fingerprint:
            raise InvariantViolated(
                _NAME,
                f"replica {replica} executes operation {operation} as {fingerprint:#x}, another did as {known:#x}",
            )

    def check_own(self, called_for: Iterable[tuple[int, int]]) -> None:
        """(operation, version that it was called for) of all: whoever executed it was that version."""
        for operation, fingerprint in called_for:
            found = self.executed_by.get(operation, fingerprint)
            if found != fingerprint:
                raise InvariantViolated(
                    _NAME, f"expected operation {operation} to be executed as {fingerprint:#x}, found {found:#x}"
                )

    def check_all(self, replicas: Iterable[Observed]) -> None:
        """At the end all run one version."""
        versions = {one.me: one.engine.service.fingerprint for one in replicas}
        if len(set(versions.values())) > 1:
            raise InvariantViolated(_NAME, f"expected one version to run after one log, found {versions}")
