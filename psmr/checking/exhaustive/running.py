"""From groups of histories to verdicts of both: the checker's, and that of trying every order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from psmr.checking.exhaustive.brute_force import has_an_order
from psmr.checking.exhaustive.groups import CAS, LOST, LOST_CAS, READ, Group, Row, groups
from psmr.checking.history import Operation
from psmr.checking.linearizability import check
from psmr.checking.recorded_check import model_named

_BLOCK = 1_000


class Disagreement(Exception):
    """The checker says of a history what trying every order does not."""


class Run:
    """All histories of `operations` operations on `model`, by number; `done` is behind the last one checked."""

    def __init__(self, model: str, operations: int) -> None:
        self._groups = list(groups(model, operations))
        self._model = model_named(model)
        self.count = sum(group.count for group in self._groups)
        self.done = 0
        self.linearizable = 0

    def check(self, start: int, until: int) -> Iterator[int]:
        """Check histories `start` to `until - 1`; `done`, every now and then. Raises Disagreement."""
        self.done = before = start
        begin = 0
        for group in self._groups:
            end = begin + group.count
            if end > self.done and begin < until:
                for rows in islice(group.histories(), self.done - begin, until - begin):
                    self._check(group, rows)
                    self.done += 1
                    if self.done - before >= _BLOCK:
                        before = self.done
                        yield self.done
            begin = end

    def _check(self, group: Group, rows: tuple[Row, ...]) -> None:
        intervals = np.array(group.shape.intervals, np.int64)
        kinds = np.array(group.kinds, np.int64)
        expected = bool(has_an_order(intervals[:, 0], intervals[:, 1], kinds, np.array(rows, np.int64)))
        operations = history(group, rows)
        found = check(operations, self._model).linearizable
        if found is not expected:
            raise Disagreement(
                f"history {self.done}: expected linearizable {expected}, as trying every order has it, found {found}:\n  "
                + "\n  ".join([operation.text() for operation in operations])
            )
        self.linearizable += expected


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
