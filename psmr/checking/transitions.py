"""A model's steps as a table of integers, filled when they are first asked for.

Operations that are alike (command, arguments, outcome) are of one *kind*. A state that no read ahead can come from is STALE,
all such are one (`foresight`): after a write that begins anew it does not matter any more, and until then nobody sees it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any

from psmr.checking.foresight import Reach
from psmr.checking.history import Operation
from psmr.checking.memory import STALE, UNFIT
from psmr.checking.model import Model


class Transitions:
    """Kinds and states, and what follows what. `reach` is as `memory.Work` has it."""

    def __init__(self, model: Model, reach: Reach | None, begins_anew: Collection[str]) -> None:
        self._model = model
        self._foreseen = reach
        self._begins_anew = begins_anew
        self._read_only = frozenset(model.read_only)
        self._kinds: list[Operation] = []
        self._kind_of: dict[Hashable, int] = {}
        self._states: list[Any] = [None]
        self._state_of: dict[Any, int] = {}
        self.reach = [(-1, -1, -1)]
        self.initial = self._state(model.initial)

    def kind(self, operation: Operation) -> int:
        """The number of its kind."""
        is_known = operation[2] is not None
        alike = (operation[3], operation[4], is_known, operation[5] if is_known else None)
        try:
            found = self._kind_of.setdefault(alike, len(self._kinds))
        except TypeError:  # something in it is not hashable: it is a kind of its own
            found = len(self._kinds)
        if found == len(self._kinds):
            self._kinds.append(operation)
        return found

    def after(self, state: int, kind: int) -> int:
        """The number of the state after an operation, or UNFIT: asked of the model."""
        operation = self._kinds[kind]
        is_known, command = operation[2] is not None, operation[3]
        before = self._states[state]
        if self._foreseen is not None and state == STALE:
            if command in self._read_only:
                return UNFIT if is_known else STALE
            if command not in self._begins_anew:
                return STALE
            before = self._model.initial
        after, reply = self._model.step(before, command, operation[4])
        if is_known and operation[5] != reply:
            return UNFIT
        return self._state(after)

    def _state(self, state: Any) -> int:
        low = high = rank = -1
        if self._foreseen is not None:
            low, high = self._foreseen.range_of(state)
            if low == high:
                return STALE
            rank = self._foreseen.ranks.get(state, -1)
        found = self._state_of.setdefault(state, len(self._states))
        if found == len(self._states):
            self._states.append(state)
            self.reach.append((low, high, rank))
        return found
