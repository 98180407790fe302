"""What the clients of a virtual cluster saw, for `assert_linearizable`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cdep import StateMachine
from psmr.checking import Operation


class History(list[Operation]):
    """Operations in the order of their calls; of which service, from which seed, and where a picture of them may lie."""

    def __init__(
        self, operations: Iterable[Operation], service: type[StateMachine], seed: int, folder: Path | None
    ) -> None:
        super().__init__(operations)
        self.service = service
        self.seed = seed
        self.folder = folder
