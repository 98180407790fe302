"""Orders given up early: a read still to be placed, that no state ahead can explain, will not be explained later either.

In a key-value store with `append`, two appends placed in the wrong order are found out by the next read, and by then there
have been many other choices, all of which would be tried again. But what a read answered says what it can come from: a value
that is a beginning of it, or an unplaced `put` of one. A state from which neither leads there is a dead end at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable
from typing import Any, NamedTuple, Protocol

from psmr.checking.history import Operation
from psmr.checking.segments import Chains

READS_AHEAD = 4
"""How many reads of a key are looked at, the first to be due first. More cost more than they save."""


class Foreseeing(Protocol):
    """What a model adds for this: `foresees` is true where it can."""

    @property
    def foresees(self) -> bool:
        """Whether the two others hold."""

    @property
    def begins_anew(self) -> Collection[str]:
        """Names of the commands after which the state of their key does not depend on what it was before."""

    def leads(self, state: Any, command: str, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """Whether commands that do not begin anew could lead from `state` to one where the read gives `reply`.

        True where that is not known.
        """

    def contributes(self, write: Operation, read: Operation, /) -> bool:
        """Whether a command that does not begin anew could be among those that lead to what `read` replied."""


class Read(NamedTuple):
    """A read of known outcome, and where the commands are that may lead to its reply: such as begin anew, and others."""

    due: int
    chain: int
    place: int
    operation: Operation
    sources: tuple[tuple[int, int], ...]
    growers: tuple[tuple[int, int, Operation], ...]


class Foresight:
    """What one segment's reads say, by key."""

    def __init__(self, chains: Chains, model: Any) -> None:
        self._leads = model.leads
        self._step = model.step
        self._contributes = model.contributes
        others: dict[Hashable | None, list[tuple[int, int, Operation]]] = {}
        writes: dict[Hashable | None, list[tuple[int, int, Operation, Any]]] = {}
        reads: dict[Hashable | None, list[tuple[int, int, Operation]]] = {}
        for chain, operations in enumerate(chains.operations):
            for place, operation in enumerate(operations):
                key = model.key(operation.command, operation.arguments)
                if operation.command in model.begins_anew:
                    after = model.step(model.initial, operation.command, operation.arguments)[0]
                    writes.setdefault(key, []).append((chain, place, operation, after))
                elif operation.command in model.read_only and operation.returned_us is not None:
                    reads.setdefault(key, []).append((chain, place, operation))
                elif operation.command not in model.read_only:
                    others.setdefault(key, []).append((chain, place, operation))
        of_keys = {
            key: sorted(self._read(*read, writes.get(key, []), others.get(key, [])) for read in group)
            for key, group in reads.items()
        }
        self._reads = [
            [of_keys.get(model.key(operation.command, operation.arguments), []) for operation in operations]
            for operations in chains.operations
        ]

    def _read(
        self,
        chain: int,
        place: int,
        operation: Operation,
        writes: list[tuple[int, int, Operation, Any]],
        others: list[tuple[int, int, Operation]],
    ) -> Read:
        due = operation.returned_us
        assert due is not None, "only reads of known outcome are looked at"
        sources = tuple(
            (at, position)
            for at, position, write, after in writes
            if write.invoked_us <= due and self._leads(after, operation.command, operation.arguments, operation.reply)
        )
        growers = tuple(other for other in others if other[2][1] <= due and self._contributes(other[2], operation))
        return Read(due, chain, place, operation, sources, growers)

    def is_hopeless(self, positions: list[int], chain: int, end: int, after: Any, limit: float) -> bool:
        """Whether, once `chain` stands at `end` and the state is `after`, some read has no explanation ahead.

        `limit` is when the first of the unplaced is due.
        """
        for group in self._reads[chain][positions[chain] : end]:
            looked_at = 0
            for at in range(bisect_left(group, limit, key=_due), len(group)):
                read = group[at]
                if read.place < (end if read.chain == chain else positions[read.chain]):
                    continue
                if not self._grows(read, positions, chain, end, after) and not any(
                    place >= (end if source == chain else positions[source]) for source, place in read.sources
                ):
                    return True
                looked_at += 1
                if looked_at == READS_AHEAD:
                    break
        return False

    def _grows(self, read: Read, positions: list[int], chain: int, end: int, state: Any) -> bool:
        """Whether the read fits `state`, or one of the commands unplaced leads from there towards its reply."""
        _, _, command, arguments, reply = read.operation[1:]
        if not self._leads(state, command, arguments, reply):
            return False
        if self._step(state, command, arguments)[1] == reply:
            return True
        return any(
            self._leads(self._step(state, other[3], other[4])[0], command, arguments, reply)
            for source, place, other in read.growers
            if place >= (end if source == chain else positions[source])
        )


def _due(read: Read) -> int:
    return read.due
