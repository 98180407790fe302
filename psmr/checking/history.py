"""What clients saw: operations, each with the time of its call and of its answer."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple


class Operation(NamedTuple):
    """One command of a history.

    `process` issued it. Where a checker is asked to keep sessions' order a process is one session: a client that
    opened a new session is a new process. Times are of one clock for the whole history. `returned_us` is None when
    the outcome is unknown (no answer, a lost connection); `reply` then means nothing.
    """

    process: Hashable
    invoked_us: int
    returned_us: int | None
    command: str
    arguments: tuple[Any, ...]
    reply: Any

    def text(self) -> str:
        """The operation in one line: `process 2 [10, 14] us: get('a') → 3`."""
        call = f"{self.command}({', '.join(map(repr, self.arguments))})"
        if self.returned_us is None:
            return f"process {self.process} [{self.invoked_us}, ?] us: {call} → unknown"
        return f"process {self.process} [{self.invoked_us}, {self.returned_us}] us: {call} → {self.reply!r}"
