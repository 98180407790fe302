"""A history of a group as the checker takes it."""

from __future__ import annotations

from typing import Any

from psmr.checking.exhaustive.groups import Group, Row
from psmr.checking.exhaustive.kinds import CAS, LOST, LOST_CAS, READ
from psmr.checking.history import Operation


def history(group: Group, rows: tuple[Row, ...]) -> list[Operation]:
    """A history as the checker takes it: block b's calls at 2b, its answers at 2b + 1."""
    free_from = [0] * len(rows)
    found: list[Operation] = []
    for (first, last), kind, row in zip(group.shape.intervals, group.kinds, rows, strict=True):
        process = next(process for process, block in enumerate(free_from) if block <= first)
        free_from[process] = first + 1 if kind in LOST else last + 1
        returned_us = None if kind in LOST else 2 * last + 1
        command, arguments, reply = _command(kind, row)
        found.append(Operation(process, 2 * first, returned_us, command, arguments, reply))
    return found


def _command(kind: int, row: Row) -> tuple[str, tuple[Any, ...], Any]:
    """What the models know; nothing is what the register holds at the beginning."""
    first, second = (value or None for value in row)
    if kind == READ:
        return "read", (), first
    if kind in (CAS, LOST_CAS):
        return "cas", (first, second), None
    return "write", (first,), None
