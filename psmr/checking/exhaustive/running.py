"""From groups of histories to verdicts of both: the checker's, and that of trying every order.

Each history that is not another one in other words (`distinct`) goes through the checker's compiled search; one in each so
many, whether it is or not, through all of `check`, which is far slower, and through the search that tries every order, which
remembers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cdep.hashing import mix
from psmr.checking.exhaustive.blocks import DISTINCT, ENDED, EXPECTED, LINEARIZABLE, check_block
from psmr.checking.exhaustive.brute_force import has_an_order
from psmr.checking.exhaustive.every_set import must_be
from psmr.checking.exhaustive.groups import Group, groups
from psmr.checking.exhaustive.prepared import places, room, searches
from psmr.checking.exhaustive.written_out import history
from psmr.checking.linearizability import check
from psmr.checking.memory import FOUND, NONE
from psmr.checking.recorded_check import model_named

_BLOCK = 1_000_000
SAMPLED = 100_000
"""How many histories of a run go through all of `check` if nothing else is said."""


class Disagreement(Exception):
    """The checker says of a history what trying every order does not."""


class Run:
    """All histories of `operations` operations on `model`, by number; `done` is behind the last one checked.

    `one_in`: each history has this chance to be one of the sample, by a hash of its number.
    """

    def __init__(self, model: str, operations: int, one_in: int | None = None) -> None:
        self._groups = [(group, group.count) for group in groups(model, operations)]
        self._model = model_named(model)
        self._room = room(operations)
        self.count = sum(count for _, count in self._groups)
        self.one_in = max(1, self.count // SAMPLED) if one_in is None else one_in
        self.done = 0
        self.sampled = 0
        self.left_open = 0

    @property
    def distinct(self) -> int:
        """How many histories the compiled search was run on."""
        return int(self._room.counts[DISTINCT])

    @property
    def linearizable(self) -> int:
        """How many of those have an order."""
        return int(self._room.counts[LINEARIZABLE])

    def check(self, start: int, until: int) -> Iterator[int]:
        """Check histories `start` to `until - 1`; `done`, every now and then. Raises Disagreement."""
        self.done = start
        begin = 0
        for group, count in self._groups:
            end = begin + count
            if end > self.done and begin < until:
                yield from self._check_group(group, begin, min(end, until))
            begin = end

    def _check_group(self, group: Group, begin: int, until: int) -> Iterator[int]:
        arrays, due = places(group, self._model), must_be(group.kinds)
        wide, narrow = searches(group, self._model)
        while self.done < until:
            stop = min(until, self.done + _BLOCK)
            for number in self._sample(self.done, stop):
                self._check_whole(group, number, number - begin)
                self.sampled += 1
            while self.done < stop:
                ended = check_block(arrays, due, self.done - begin, stop - begin, wide, narrow, self._room)
                self.done = begin + ended
                if self.done < stop:
                    self._look_at(group, ended)
                    self.done += 1
            yield self.done

    def _sample(self, start: int, stop: int) -> Iterator[int]:
        """One number in each stretch of `one_in`, at a place that is the same in every run."""
        for stretch in range(start // self.one_in, (stop - 1) // self.one_in + 1):
            number = stretch * self.one_in + int(mix(np.uint64(stretch))) % self.one_in
            if start <= number < stop:
                yield number

    def _look_at(self, group: Group, place: int) -> None:
        """Of a history that stopped a block."""
        found, expected = int(self._room.counts[ENDED]), bool(self._room.counts[EXPECTED])
        if found in (FOUND, NONE):
            raise self._disagreement(group, self.done, place, expected=expected, found=found == FOUND)
        self._check_whole(group, self.done, place)
        self.left_open += 1

    def _check_whole(self, group: Group, number: int, place: int) -> None:
        """By all of the checker, and by trying every order."""
        rows = group.history(place)
        intervals, kinds = np.array(group.shape.intervals, np.int64), np.array(group.kinds, np.int64)
        expected = bool(has_an_order(intervals[:, 0], intervals[:, 1], kinds, np.array(rows, np.int64)))
        found = check(history(group, rows), self._model).linearizable
        if found is not expected:
            raise self._disagreement(group, number, place, expected=expected, found=found)

    def _disagreement(
        self, group: Group, number: int, place: int, *, expected: bool, found: bool | None
    ) -> Disagreement:
        operations = history(group, group.history(place))
        return Disagreement(
            f"history {number}: expected linearizable {expected}, as trying every order has it, found {found}:\n  "
            + "\n  ".join([operation.text() for operation in operations])
        )
