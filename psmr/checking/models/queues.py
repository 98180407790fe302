"""Queues: one that keeps its order, and one that gives its elements in any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psmr.checking.models.meaning import Meant, OneState, no_such


class _Reading:
    def meant(self, f: str, called: Any, answered: Any, is_known: bool, /) -> Meant:
        """As `RecordedModel` has it."""
        if f == "enqueue":
            return Meant(f, (called,), None)
        if f == "dequeue":
            return Meant(f, (), answered)
        raise no_such(f, "a queue", "enqueue, dequeue")


class Queue(_Reading, OneState):
    """`enqueue v`; `dequeue`, whose answer has the oldest value, or nil when there was none."""

    initial: tuple[Any, ...] = ()

    def step(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> tuple[Any, Any]:
        """The state after `command`, and its reply."""
        if command == "enqueue":
            return (*state, arguments[0]), None
        return (state[1:], state[0]) if state else (state, None)


class UnorderedQueue(_Reading, OneState):
    """A queue whose `dequeue` gives any of its values: the example of a nondeterministic model.

    A state is the set of (value, how often).
    """

    initial: frozenset[tuple[Any, int]] = frozenset()

    def outcomes(self, state: Any, command: str, arguments: tuple[Any, ...], /) -> Iterable[tuple[Any, Any]]:
        """Each state that may follow, with its reply."""
        if command == "enqueue":
            return [(_changed(state, arguments[0], 1), None)]
        return [(_changed(state, value, -1), value) for value, _ in state] or [(state, None)]


def _changed(state: frozenset[tuple[Any, int]], value: Any, by: int) -> frozenset[tuple[Any, int]]:
    count = next((count for held, count in state if held == value), 0)
    rest = state - {(value, count)}
    return rest | {(value, count + by)} if count + by else rest
