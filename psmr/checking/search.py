"""The search for one order that explains a history: Wing and Gong's, with Lowe's cache.

Wing, Gong, *Testing and Verifying Concurrent Objects*, JPDC 1993; Lowe, *Testing for Linearizability*, CCPE 2017.
Operations are placed one after another; where several could come next the search remembers the others and returns to
them when it is stuck. What lies ahead depends only on what has been placed and on the state, so a pair of those that
was met before is not searched again.

Two rules keep ordinary histories near linear time.

- A command that only reads, may come next and fits the state, is placed at once and never moved: put earlier it takes
  nothing from the others. (Not so for a write that happens to change nothing: `put 5` on state 5 may be needed later,
  after a `put 7`, to explain a read of 5.)
- Of several that could come next, the one that is due first is tried first, and one whose outcome is unknown last:
  what answered first was most likely executed first.

A model that can tell what a later read may come from (`foresight`) has wrong orders given up early.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

from psmr.checking.foresight import Foresight
from psmr.checking.history import Operation
from psmr.checking.model import Model
from psmr.checking.segments import Chains, Item

Trail = tuple[int, Operation, Any] | None
"""What was placed within segments of several operations, last first: (segment, operation, the trail before it)."""


class Effort(NamedTuple):
    """How hard to search, and among which orders.

    With `whole_batches` what one process sent in one batch stays together, which is how the engine orders it: few
    orders, nearly always enough. `steps_max`, a multiple of the number of operations, is where the search gives up.
    """

    by_session: bool
    whole_batches: bool
    steps_max: int | None


class Move(NamedTuple):
    """One way to go on: a chain's operations up to `end`, executed or (of unknown outcome) passed over."""

    is_known: bool
    urgency: float
    is_executed: bool
    chain: int
    end: int
    state: Any


class Choice(NamedTuple):
    """Where the search stood when there were several ways to go on, and those not yet tried."""

    at: int
    positions: tuple[int, ...]
    trail: Trail
    moves: list[Move]


class DeadEnd(NamedTuple):
    """The furthest place from which there was no way to go on."""

    placed: int
    at: int
    positions: tuple[int, ...]
    state: Any
    trail: Trail


class Search:
    """Looks for an order of `items` that the model agrees with. `tick` is called now and then; it may raise to stop."""

    def __init__(self, items: list[Item], model: Model, effort: Effort, tick: Callable[[], None]) -> None:
        self._items = items
        self._model = model
        self._step = model.step
        self._read_only = frozenset(model.read_only)
        self._effort = effort
        self._tick = tick
        self._before = [0, *accumulate(len(item) if isinstance(item, list) else 1 for item in items)]
        self._steps_left = math.inf if effort.steps_max is None else effort.steps_max * (self._before[-1] + 1)
        self._chains: dict[int, Chains] = {}
        self._foresees = bool(getattr(model, "foresees", False))
        self._foresight: dict[int, Foresight] = {}
        self._at = 0
        self._positions: list[int] = []
        self._state = model.initial
        self._trail: Trail = None
        self._choices: list[Choice] = []
        self._seen: set[tuple[int, tuple[int, ...], Any]] = set()
        self.dead_end: DeadEnd | None = None

    def run(self) -> bool | None:
        """Whether there is an order; None when the search gave up.

        When there is none, `dead_end` is the furthest that an attempt came.
        """
        while self._steps_left > 0:
            if not (self._pass_singles() and self._pass_segment()):
                if not self._go_back():
                    return False
            elif self._at == len(self._items):
                return True
        return None

    def found(self) -> tuple[list[Operation], Any]:
        """The order that was found, and the state after it."""
        return self.prefix(DeadEnd(0, len(self._items), (), self._state, self._trail)), self._state

    @property
    def tried_all(self) -> bool:
        """Whether keeping batches whole has left no order out."""
        return not any(chains.has_batches for chains in self._chains.values())

    def heads(self, dead_end: DeadEnd) -> list[tuple[Operation, Any]]:
        """The operations that time would let come next at `dead_end`, each with the reply the model gives there."""
        item = self._items[dead_end.at]
        if not isinstance(item, list):
            candidates = [item]
        else:
            chains = self._chains_at(dead_end.at)
            places = list(enumerate(dead_end.positions))
            limit = min(chains.due[chain][place] for chain, place in places)
            candidates = [
                chains.operations[chain][place]
                for chain, place in places
                if chains.called[chain][place] <= limit and chains.operations[chain][place].returned_us is not None
            ]
        return [(found, self._step(dead_end.state, found.command, found.arguments)[1]) for found in candidates]

    def prefix(self, dead_end: DeadEnd) -> list[Operation]:
        """The operations placed at `dead_end`, in their order."""
        inside: dict[int, list[Operation]] = {}
        trail = dead_end.trail
        while trail:
            at, operation, trail = trail
            inside.setdefault(at, []).append(operation)
        placed: list[Operation] = []
        for at, item in enumerate(self._items[: dead_end.at + 1]):
            if isinstance(item, list):
                placed.extend(reversed(inside.get(at, [])))
            elif at < dead_end.at:
                placed.append(item)
        return placed

    def _pass_singles(self) -> bool:
        """Execute operations that overlap none, up to the next segment of several; False at one that does not fit."""
        items, step, state = self._items, self._step, self._state
        at, end = self._at, len(items)
        try:
            while at < end:
                item = items[at]
                if isinstance(item, list):
                    break
                after, reply = step(state, item[3], item[4])
                if item[5] != reply:
                    return self._stuck(at, (), state)
                state = after
                at += 1
        finally:
            self._at, self._state = at, state
        return True

    def _pass_segment(self) -> bool:
        """Place operations of the segment at hand until all known ones are placed; False when stuck."""
        if self._at == len(self._items):
            return True
        chains = self._chains_at(self._at)
        positions = self._positions = self._positions or [0] * len(chains.due)
        while True:
            self._tick()
            self._steps_left -= 1
            limit = min([due[place] for due, place in zip(chains.due, positions, strict=True)])
            if limit == math.inf:
                self._at += 1
                self._positions = []
                return True
            moves = self._moves(chains, positions, limit)
            if moves is None:
                continue
            if not moves:
                return self._stuck(self._at, tuple(positions), self._state)
            if len(moves) > 1:
                moves.sort(key=_preference)
                if not self._remember(moves):
                    return False
            self._take(chains, moves.pop())

    def _moves(self, chains: Chains, positions: list[int], limit: float) -> list[Move] | None:
        """The ways to go on; None when reads could be placed, which they are, and it is to be asked again."""
        state, step, read_only = self._state, self._step, self._read_only
        moves: list[Move] = []
        found_reads = False
        for chain, called in enumerate(chains.called):
            place = positions[chain]
            while called[place] <= limit:
                operation = chains.operations[chain][place]
                after, reply = step(state, operation[3], operation[4])
                if operation[3] in read_only and (operation[2] is None or operation[5] == reply):
                    self._trail = (self._at, operation, self._trail)
                    place += 1
                    found_reads = True
                    continue
                if operation[2] is None:
                    moves += self._unknown_moves(chains, chain, place, after)
                elif operation[5] == reply:
                    moves += self._known_moves(chains, chain, place, after)
                break
            positions[chain] = place
        if found_reads:
            return None
        return self._hopeful(chains, positions, limit, moves) if self._foresees else moves

    def _hopeful(self, chains: Chains, positions: list[int], limit: float, moves: list[Move]) -> list[Move]:
        foresight = self._foresight.get(self._at)
        if foresight is None:
            foresight = self._foresight[self._at] = Foresight(chains, self._model)
        return [move for move in moves if not foresight.is_hopeless(positions, move.chain, move.end, move.state, limit)]

    def _known_moves(self, chains: Chains, chain: int, place: int, after: Any) -> list[Move]:
        """An operation that fits, with the rest of its batch, which has to fit too."""
        step = self._step
        end = chains.ends[chain][place]
        for operation in chains.operations[chain][place + 1 : end]:
            after, reply = step(after, operation[3], operation[4])
            if operation[5] != reply:
                return []
        return [Move(True, -chains.due[chain][place], True, chain, end, after)]

    def _unknown_moves(self, chains: Chains, chain: int, place: int, after: Any) -> list[Move]:
        """An operation of unknown outcome may be executed now; or never, which matters if its chain goes on."""
        moves = []
        urgency = -chains.due[chain][place]
        if after != self._state:
            moves.append(Move(False, urgency, True, chain, place + 1, after))
        if place + 1 < len(chains.operations[chain]):
            moves.append(Move(False, urgency, False, chain, place + 1, self._state))
        return moves

    def _take(self, chains: Chains, move: Move) -> None:
        place = self._positions[move.chain]
        self._positions[move.chain] = move.end
        self._state = move.state
        if move.is_executed:
            for operation in chains.operations[move.chain][place : move.end]:
                self._trail = (self._at, operation, self._trail)

    def _remember(self, moves: list[Move]) -> bool:
        """Note a choice; False when the search has stood here before."""
        here = (self._at, tuple(self._positions), self._state)
        if here in self._seen:
            return False
        self._seen.add(here)
        self._choices.append(Choice(self._at, here[1], self._trail, moves))
        return True

    def _go_back(self) -> bool:
        """Return to the last choice with a way not yet tried, and try it; False when there is none."""
        while self._choices:
            choice = self._choices[-1]
            if choice.moves:
                self._at, self._trail = choice.at, choice.trail
                self._positions = list(choice.positions)
                self._take(self._chains_at(choice.at), choice.moves.pop())
                return True
            self._choices.pop()
        return False

    def _stuck(self, at: int, positions: tuple[int, ...], state: Any) -> bool:
        placed = self._before[at] + sum(positions)
        if self.dead_end is None or placed > self.dead_end.placed:
            self.dead_end = DeadEnd(placed, at, positions, state, self._trail)
        return False

    def _chains_at(self, at: int) -> Chains:
        chains = self._chains.get(at)
        if chains is None:
            item = self._items[at]
            group = item if isinstance(item, list) else [item]
            chains = self._chains[at] = Chains(
                group, by_session=self._effort.by_session, whole_batches=self._effort.whole_batches
            )
        return chains


def _preference(move: Move) -> tuple[bool, float, bool]:
    """The best sorts last, so that it is popped first."""
    return move[:3]
