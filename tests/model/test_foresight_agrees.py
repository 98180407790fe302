"""Giving wrong orders up early changes no verdict: with and without, on key-value histories of up to fourteen operations."""

from __future__ import annotations

from collections import Counter
from random import Random

from psmr.checking import Operation, check
from psmr.checking.models.keyed import Cell, keyed


class Blind:
    """What a cell means, and no foresight."""

    initial = None
    read_only = Cell.read_only
    step = Cell().step


def history(random: Random) -> list[Operation]:
    """Operations that some system executed one by one, at a moment within each; now and then one answer is another's."""
    spans = sorted(sorted(random.sample(range(60), 3)) for _ in range(random.randint(4, 14)))
    values = dict.fromkeys("xy", "")
    found: dict[int, Operation] = {}
    for number in sorted(range(len(spans)), key=lambda number: spans[number][1]):
        called, _, returned = spans[number]
        key, kind = random.choice("xxy"), random.choice(["get", "get", "append", "append", "put"])
        value = random.choice("abc")
        is_known, is_done = random.random() < 0.85, random.random() < 0.5
        if kind != "get" and (is_known or is_done):
            values[key] = value if kind == "put" else values[key] + value
        given = (key,) if kind == "get" else (key, value)
        reply = (values[key] or None) if kind == "get" else None
        found[number] = Operation(number, called, returned if is_known else None, kind, given, reply)
    gets = [number for number, operation in found.items() if operation.command == "get"]
    if gets and random.random() < 0.9:
        one, other = random.choice(gets), random.choice(gets)
        found[one] = found[one]._replace(reply=found[other].reply)
    return [found[number] for number in range(len(spans))]


def test_the_verdict_is_that_without_foresight() -> None:
    verdicts = Counter[bool | None]()
    for seed in range(250):
        operations = history(Random(seed))
        for whole in (False, True):
            expected = check(operations, keyed(Blind(), whole=whole), partition=not whole).linearizable
            assert check(operations, keyed(Cell(), whole=whole), partition=not whole).linearizable is expected, seed
            verdicts[expected] += 1
    assert min(verdicts[True], verdicts[False]) > 30
