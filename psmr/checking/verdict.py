"""What a check found, and how to say it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

from psmr.checking.history import Operation

SHOWN = 8


class Unplaceable(NamedTuple):
    """An operation that time would let come next, and the reply that the model would give there instead."""

    operation: Operation
    model_reply: Any


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Why there is no order: the longest one that was found, and what could not follow it."""

    key: Hashable | None
    """The key whose operations have no order; None when the history was checked as a whole."""
    operations: int
    """How many operations that key has."""
    prefix: tuple[Operation, ...]
    """The longest order found."""
    state: Any
    """The model's state after it."""
    unplaceable: tuple[Unplaceable, ...]

    def text(self) -> str:
        where = "the history" if self.key is None else f"key {self.key!r}"
        lines = [f"{where}: {len(self.prefix)} of {self.operations} operations have an order, which none can follow"]
        if len(self.prefix) > SHOWN:
            lines.append(f"  ({len(self.prefix) - SHOWN} operations before these)")
        lines += [f"  placed: {operation.text()}" for operation in self.prefix[-SHOWN:]]
        lines.append(f"  state then: {self.state!r}")
        for operation, model_reply in self.unplaceable:
            lines.append(f"  cannot follow: {operation.text()}, where the model replies {model_reply!r}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `linearizable` is None when time ran out before it was decided."""

    linearizable: bool | None
    operations: int
    parts: int
    """How many keys there were to check; 1 when the history was checked as a whole."""
    parts_unfinished: int = 0
    """Keys for which time ran out, where that left `linearizable` None: every other key has an order."""
    left_out: int = 0
    """Operations that read every key; checked only with `partition=False`."""
    replies_unchecked: int = 0
    """Operations that write every key: taken into account for each, their own replies not checked."""
    counterexample: Counterexample | None = None
    """Set when, and only when, `linearizable` is False."""
    suspicion: Counterexample | None = None
    """Set at most when `linearizable` is None: a key with no order that keeps each process's operations in sequence and
    its batches together, as the engine orders them. Most likely a fault; not a proof of one."""

    def text(self) -> str:
        """The verdict for a reader: one line, and below it what speaks against the history, if anything does."""
        scope = f"{self.operations} operations, {self.parts} {'key' if self.parts == 1 else 'keys'}"
        notes = []
        if self.parts_unfinished:
            notes.append(f"time ran out for {self.parts_unfinished} of the keys")
        if self.left_out:
            notes.append(f"{self.left_out} operations that read every key left out")
        if self.replies_unchecked:
            notes.append(f"replies of {self.replies_unchecked} operations that write every key not checked")
        word = {True: "linearizable", False: "NOT linearizable", None: "undecided"}[self.linearizable]
        line = f"{word}: {'; '.join([scope, *notes])}"
        if self.counterexample:
            return f"{line}\n{self.counterexample.text()}"
        return f"{line}\nsuspected, not proven: {self.suspicion.text()}" if self.suspicion else line
