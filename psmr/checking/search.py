"""The search for one order that explains a history: Wing and Gong's, with Lowe's cache.

Wing, Gong, *Testing and Verifying Concurrent Objects*, JPDC 1993; Lowe, *Testing for Linearizability*, CCPE 2017.
Operations are placed one after another; where several could come next the search remembers the others and returns to
them when it is stuck. What lies ahead depends only on what has been placed and on the state, so a pair of those that
was met before is not searched again.

These rules keep ordinary histories near linear time.

- A command that only reads, may come next and fits the state, is placed at once and never moved: put earlier it takes
  nothing from the others. (Not so for a write that happens to change nothing: `put 5` on state 5 may be needed later,
  after a `put 7`, to explain a read of 5.)
- Of several that could come next, the one that is due first is tried first, and one whose outcome is unknown last:
  what answered first was most likely executed first.
- Of several that are alike, only the one that is due first is tried (without sessions' order): in any order in which
  another comes first, the two can change places.
- A model that can tell what a later read may come of (`foresight`) has wrong orders given up early, and writes that no read
  ahead may come of placed right before a write that hides them: in any order they can be moved there, as nobody looks.

The search itself is compiled (`compiled_search`) and asks for what it needs: steps of the model, room, and time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from psmr.checking.compiled_search import search
from psmr.checking.history import Operation
from psmr.checking.layout import Layout
from psmr.checking.memory import (
    BEST,
    DEPTH,
    EXECUTED,
    FOUND,
    FULL,
    MISSING,
    MISSING_KIND,
    MISSING_STATE,
    NONE,
    ONWARD,
    SEEN,
    copy_seen,
    copy_transitions,
    pack,
    put_transition,
)
from psmr.checking.model import Model

STEPS_BETWEEN_TICKS = 1024
_QUESTIONS_BETWEEN_TICKS = 256


class Effort(NamedTuple):
    """How hard to search, and among which orders.

    With `whole_batches` what one process sent in one batch stays together, which is how the engine orders it: few
    orders, nearly always enough. `steps_max`, a multiple of the number of operations, is where the search gives up.
    """

    by_session: bool
    whole_batches: bool
    steps_max: int | None


class DeadEnd(NamedTuple):
    """The furthest place from which there was no way to go on."""

    prefix: list[Operation]
    """What was placed, in its order."""
    heads: list[Operation]
    """The operations that time would let come next."""


class Search:
    """Looks for an order that the model agrees with. `tick` is called now and then; it may raise to stop."""

    def __init__(self, operations: list[Operation], model: Model, effort: Effort, tick: Callable[[], None]) -> None:
        self._layout = Layout(operations, model, by_session=effort.by_session, whole_batches=effort.whole_batches)
        self._memory, self._work = pack(self._layout.work)
        self._transitions = 0
        self._work.reach[: len(self._layout.transitions.reach)] = self._layout.transitions.reach
        self._tick = tick
        self._steps_left = None if effort.steps_max is None else effort.steps_max * (len(operations) + 1)

    def run(self) -> bool | None:
        """Whether there is an order; None when the search gave up."""
        ended = ONWARD
        while ended not in (FOUND, NONE):
            if ended == MISSING:
                self._ask_model()
                if self._transitions % _QUESTIONS_BETWEEN_TICKS == 0:
                    self._tick()  # where every state is new, the search does nothing but ask
            elif ended == FULL:
                self._make_room()
            elif self._steps_left is None or self._steps_left > 0:
                self._tick()
                if self._steps_left is not None:
                    self._steps_left -= STEPS_BETWEEN_TICKS
            else:
                return None
            ended = search(self._memory, STEPS_BETWEEN_TICKS)
        return ended == FOUND

    @property
    def tried_all(self) -> bool:
        """Whether keeping batches whole has left no order out."""
        return not self._layout.has_batches

    def order(self) -> list[Operation]:
        """The order that was found."""
        trail = self._work.trail[: self._work.meta[DEPTH], :]
        return self._executed(trail[:, (0, 3)])

    def dead_end(self) -> DeadEnd:
        """Where it ended, when no order was found."""
        best = self._work.best[: self._work.meta[BEST]]
        return DeadEnd(self._executed(best), self._heads(best))

    def _executed(self, trail: np.ndarray) -> list[Operation]:
        rows = [row for row, how in trail.tolist() if how == EXECUTED]
        return [operation for row in rows if (operation := self._layout.operations[row]) is not None]

    def _heads(self, trail: np.ndarray) -> list[Operation]:
        placed = set(trail[:, 0].tolist())
        heads = []
        is_head = True
        for row, operation in enumerate(self._layout.operations):
            if operation is None:
                is_head = True
            elif is_head and row not in placed:
                heads.append((row, operation))
                is_head = False
        limit = min(int(self._work.operations[row, 1]) for row, _ in heads)
        return [one for _, one in heads if one.invoked_us <= limit and one.returned_us is not None]

    def _ask_model(self) -> None:
        transitions, meta = self._layout.transitions, self._work.meta
        state, kind = int(meta[MISSING_STATE]), int(meta[MISSING_KIND])
        after = transitions.after(state, kind)
        self._transitions += 1
        if 2 * self._transitions > len(self._work.table):
            table = np.full((4 * len(self._work.table), 2), -1, np.int64)
            copy_transitions(self._work.table.ravel(), table.ravel())
            self._replace(table=table)
        if after >= len(self._work.reach):
            self._replace(
                reach=np.concatenate([self._work.reach, np.full((3 * len(self._work.reach), 3), -1, np.int64)])
            )
        if after >= 0:
            self._work.reach[after] = transitions.reach[after]
        put_transition(self._memory, state, kind, after)

    def _make_room(self) -> None:
        work = self._work
        if 2 * work.meta[SEEN] >= len(work.seen):
            seen = np.zeros((4 * len(work.seen), 2), np.int64)
            copy_seen(work.seen.ravel(), seen.ravel())
            self._replace(seen=seen)
        else:
            self._replace(moves=np.concatenate([work.moves, np.empty_like(work.moves)]))

    def _replace(self, **larger: np.ndarray) -> None:
        self._memory, self._work = pack(self._work._replace(**larger))
