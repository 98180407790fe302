"""The checker against an exhaustive search, over every history of a few operations on three processes.

Four operations by default; PSMR_EXHAUSTIVE_OPERATIONS=6 takes all of six, which is a run of its own (tests/README.md).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from psmr.checking import Operation, check
from psmr.checking.possible import Possible, seen
from psmr.checking.recorded_check import model_named

OPERATIONS_MAX = int(os.environ.get("PSMR_EXHAUSTIVE_OPERATIONS", "4"))
PROCESSES = 3

Kind = tuple[str, tuple[Any, ...], Any, bool]
Interval = tuple[int, int, int]

KINDS: dict[str, list[Kind]] = {
    "register": [
        ("write", (1,), None, True),
        ("write", (1,), None, False),
        ("read", (), None, True),
        ("read", (), 1, True),
    ],
    "kv": [
        ("put", (0, "a"), None, True),
        ("append", (0, "b"), None, True),
        ("get", (0,), "b", True),
        ("get", (0,), "ab", True),
    ],
    "queue": [("enqueue", (1,), None, True), ("dequeue", (), 1, True), ("dequeue", (), None, True)],
}


def intervals(count: int) -> Iterator[tuple[Interval, ...]]:
    """Each way in which `count` operations can lie in time, up to the names of processes: (process, call, return)."""

    def further(
        at: int, open_: dict[int, tuple[int, int]], done: dict[int, Interval]
    ) -> Iterator[tuple[Interval, ...]]:
        begun = len(open_) + len(done)
        if len(done) == count:
            yield tuple(done[place] for place in range(count))
            return
        if begun < count and len(open_) < PROCESSES:
            free = next(process for process in range(PROCESSES) if process not in open_)
            yield from further(at + 1, {**open_, free: (begun, at)}, done)
        for process, (place, called) in open_.items():
            rest = {other: held for other, held in open_.items() if other != process}
            yield from further(at + 1, rest, {**done, place: (process, called, at)})

    return further(0, {}, {})


def has_an_order(operations: list[Operation], model: Any, state: Any) -> bool:
    """Whether some order explains them: each that no other precedes is tried as the first."""
    known = [operation for operation in operations if operation.returned_us is not None]
    if not known:
        return True
    first_due = min(operation.returned_us or 0 for operation in known)
    for place, operation in enumerate(operations):
        if operation.invoked_us <= first_due:
            after, reply = model.step(state, operation.command, operation.arguments)
            fits = operation.returned_us is None or reply == operation.reply
            if fits and has_an_order(operations[:place] + operations[place + 1 :], model, after):
                return True
    return False


def histories(kinds: list[Kind], count: int) -> Iterator[list[Operation]]:
    for lying in intervals(count):
        for chosen in product(kinds, repeat=count):
            yield [
                Operation(process, called, returned if is_known else None, command, arguments, reply)
                for (process, called, returned), (command, arguments, reply, is_known) in zip(
                    lying, chosen, strict=True
                )
            ]


@pytest.mark.parametrize("name", KINDS)
def test_the_verdict_is_that_of_trying_every_order(name: str) -> None:
    model = model_named(name)
    found = Counter[bool]()
    for count in range(1, OPERATIONS_MAX + 1):
        for operations in histories(KINDS[name], count):
            expected = has_an_order(operations, model, model.initial)
            assert check(operations, model).linearizable is expected, operations
            found[expected] += 1
    assert min(found[True], found[False]) > 1000


class Coin:
    """Nondeterministic: `toss` makes it either, `look` says which."""

    initial = "unknown"

    def outcomes(self, state: str, command: str, arguments: tuple[Any, ...], /) -> list[tuple[str, str | None]]:
        return [("heads", None), ("tails", None)] if command == "toss" else [(state, state)]

    def key(self, command: str, arguments: tuple[Any, ...], /) -> None:
        return None


def test_the_verdict_of_a_nondeterministic_model_is_that_of_trying_every_order_and_outcome() -> None:
    kinds: list[Kind] = [
        ("toss", (), None, True),
        ("toss", (), None, False),
        ("look", (), "heads", True),
        ("look", (), "tails", True),
    ]
    found = Counter[bool]()
    for count in range(1, OPERATIONS_MAX):
        for operations in histories(kinds, count):
            expected = _has_an_order_and_outcomes(operations, Coin(), "unknown")
            assert check(map(seen, operations), Possible(Coin())).linearizable is expected, operations
            found[expected] += 1
    assert min(found[True], found[False]) > 100


def _has_an_order_and_outcomes(operations: list[Operation], model: Coin, state: str) -> bool:
    if all(operation.returned_us is None for operation in operations):
        return True
    first_due = min(operation.returned_us for operation in operations if operation.returned_us is not None)
    return any(
        (operation.returned_us is None or reply == operation.reply)
        and _has_an_order_and_outcomes(operations[:place] + operations[place + 1 :], model, after)
        for place, operation in enumerate(operations)
        if operation.invoked_us <= first_due
        for after, reply in model.outcomes(state, operation.command, operation.arguments)
    )
