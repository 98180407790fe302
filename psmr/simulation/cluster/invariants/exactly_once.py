"""Exactly once, in order: a session's batches are executed one after another, none twice, and on all replicas alike.

Reads leave no trace: they may be executed any number of times.
"""

from __future__ import annotations

from psmr.simulation.invariants import InvariantViolated


class ExactlyOnce:
    """Follows, in each life of each replica, which sequence of each session was executed last.

    `executed`: by operation, when it was first executed anywhere, and its reply.
    """

    def __init__(self) -> None:
        self.executed: dict[int, tuple[int, int]] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._last: dict[int, dict[int, int]] = {}
        self._seen: dict[int, set[int]] = {}
        self._captured: dict[int, tuple[dict[int, int], set[int]]] = {0: ({}, set())}

    def started(self, replica: int, index: int) -> None:
        """Its state is that of a snapshot at `index`, or empty at 0: it executes the log from there on."""
        if index not in self._captured:
            raise InvariantViolated(
                "exactly once", f"replica {replica} begins with a snapshot at index {index}, where nobody has taken one"
            )
        last, seen = self._captured[index]
        self._last[replica] = dict(last)
        self._seen[replica] = set(seen)

    def captured(self, replica: int, index: int) -> None:
        """Its state at `index` goes into a snapshot: whoever begins with it has executed the same."""
        executed = (dict(self._last[replica]), set(self._seen[replica]))
        if self._captured.setdefault(index, executed) != executed:
            raise InvariantViolated(
                "exactly once", f"replica {replica} has executed other commands up to index {index} than another had"
            )

    def check(self, now_us: int, replica: int, session: int, sequence: int, operation: int, reply: int | None) -> None:
        """A command of the log was executed; without a reply by one that has done wrong."""
        self._check_order(replica, session, sequence)
        seen = self._seen[replica]
        if operation in seen:
            raise InvariantViolated("exactly once", f"replica {replica} executes operation {operation} twice")
        seen.add(operation)
        if reply is None:
            return
        _, known_reply = self.executed.setdefault(operation, (now_us, reply))
        if known_reply != reply:
            raise InvariantViolated(
                "the same answer",
                f"expected operation {operation} to give {known_reply} at replica {replica}, as elsewhere; found {reply}",
            )
        if self._places.setdefault(operation, (session, sequence)) != (session, sequence):
            raise InvariantViolated(
                "exactly once",
                f"operation {operation} has two places: sequence {sequence} of session {session}, and before "
                f"{self._places[operation]}",
            )

    def _check_order(self, replica: int, session: int, sequence: int) -> None:
        last = self._last[replica].get(session, 0)
        if sequence not in (last, last + 1):
            raise InvariantViolated(
                "in order",
                f"expected replica {replica} to execute sequence {last + 1} of session {session}, found {sequence}",
            )
        self._last[replica][session] = sequence
