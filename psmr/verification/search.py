"""The search: states that the service's own commands reach, and calls from each that would collide if they could.

A call whose cells no other call changes does the same in any order; so every call is executed once from a state, and any two
whose cells conflict must be ordered by C-Dep. Some pairs are executed in both orders besides: what the traces do not show (a
value kept outside the declared state) shows there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from cdep import StateMachine
from psmr.verification.cells import MEMORY
from psmr.verification.coverage import Coverage
from psmr.verification.declared import footprints, may_share_no_group
from psmr.verification.examining import Pair, Trial, pairs
from psmr.verification.machine import Call, Outcome, TracedMachine, named_call
from psmr.verification.orders import differ
from psmr.verification.pools import Palette, Pools

_LENGTHS = (0, 1, 2, 4, 8, 8, 16, 16, 32, 64, 160)
_WEIGHTS = (0, 1, 1, 3, 8)
_TRIALS = 28
_KEPT_PREFIXES = 200
_KEPT_SUSPICIONS = 4
_LOOKED_AT = 200
"""Of a pair of commands, how many suspicions are tried for one whose order shows."""
_IN_BOTH_ORDERS = 3
_LIGHT_CELLS = 64
_TWINS = 0.25
"""How often a known way is gone twice, the second time with one value in place of another: two keys in the same rare state."""
_TOLD_APART = 8
"""Replies below are told apart when something new is looked for: they may be stages, states, counts."""

Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Two calls that conflict although C-Dep does not order them, and the calls that lead to the state where they do."""

    before: tuple[Call, ...]
    first: Call
    second: Call
    is_visible: bool = False
    """Whether a reply, an event or the state shows the order."""


@dataclass
class Searched:
    """How much was looked at. Pairs are counted by the names of their commands, the lower op first."""

    states: int = 0
    calls: int = 0
    in_both_orders: int = 0
    unordered: Counter[Names] = field(default_factory=Counter)
    ordered: Counter[Names] = field(default_factory=Counter)
    ordered_and_conflicting: Counter[Names] = field(default_factory=Counter)
    suspected: Counter[Names] = field(default_factory=Counter)
    executed: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)


class Search:
    """One seeded search of a service; each `explore` goes to one more state.

    `examples` are calls of the service's own workload, from which arguments are taken too, and `beginnings` calls that lead
    to states worth beginning at; `observe` is handed what each state has shown. Raises ConfigurationError for a service whose
    state cannot be traced.
    """

    def __init__(
        self,
        owner: type[StateMachine],
        seed: int,
        examples: Sequence[Call] = (),
        observe: Callable[[list[Trial]], None] | None = None,
        beginnings: Sequence[Sequence[Call]] = (),
    ) -> None:
        self.owner = owner
        self.machine = TracedMachine(owner)
        self.service = self.machine.service
        self.searched = Searched()
        self.suspicions: dict[Names, list[Suspicion]] = {}
        self.novel: list[Trial] = []
        """Executions on the way to a state that did something for the first time."""
        self._observe = observe
        self._chance = Random(seed)
        self._pools = Pools(owner, self.service, examples, self._chance)
        self._footprint = footprints(self.service)
        self._names = [command.name for command in self.service.commands]
        self._ops = {command.name: command.op for command in self.service.commands}
        self._prefixes: list[tuple[Call, ...]] = [(), *map(tuple, beginnings)]
        self._novelties: set[tuple[object, ...]] = set()
        self._cells: Counter[str] = Counter()
        self.coverage = Coverage(owner, self.service)

    def explore(self) -> None:
        """Reach a state and examine calls from it."""
        palette = self._pools.palette()
        before = self._walk(palette)
        palette.learn(part for cell, value in self.machine.content().items() for part in (cell.key, value))
        trials = self._trials(palette, before)
        self.searched.states += 1
        if self._observe is not None:
            self._observe(trials)
        self._judge(before, trials)
        self.machine.rollback(0)

    def suspected(self) -> set[str]:
        """The commands that are in a suspicion."""
        return {name for names in self.suspicions for name in names}

    def _walk(self, palette: Palette) -> tuple[Call, ...]:
        """Bring the machine into a state: a known way to something new, or none, and some calls more."""
        chance = self._chance
        before = list(chance.choice(self._prefixes)) if chance.random() < 0.5 else []
        if before and chance.random() < _TWINS:
            before += palette.renamed(before)
        for call in before:
            self._step(call, palette)
            palette.learn(call.arguments)
        weights = [chance.choice(_WEIGHTS) * self._lightness(name) for name in self._names]
        if not any(weights):
            weights[chance.randrange(len(weights))] = 1
        repeated = chance.random() < 0.1
        for name in chance.choices(self._names, weights, k=chance.choice(_LENGTHS)):
            call = before[-1] if repeated and before else palette.call(name)
            before.append(call)
            if self._step(call, palette) and len(self._prefixes) < _KEPT_PREFIXES:
                self._prefixes.append(tuple(before))
        return tuple(before)

    def _step(self, call: Call, palette: Palette) -> bool:
        """Execute one call; whether it did something new."""
        outcome, is_further = self._execute(call)
        palette.learn([outcome.reply])
        is_new = self._is_new(call, outcome) or is_further
        if is_new:
            self.novel.append(Trial(call, outcome, self._footprint(call)))
        return is_new

    def _trials(self, palette: Palette, before: Sequence[Call]) -> list[Trial]:
        chance = self._chance
        light = [self._lightness(name) for name in self._names]
        names = [name for name, lightness in zip(self._names, light, strict=True) if chance.random() < lightness]
        names += chance.choices(self._names, light, k=max(0, _TRIALS - len(names)))
        calls = [palette.call(name) for name in names]
        if before:
            calls += [before[-1], *palette.renamed(before[-1:])]
        trials = []
        mark = self.machine.mark()
        for call in calls:
            outcome, _ = self._execute(call)
            trials.append(Trial(call, outcome, self._footprint(call)))
            self.machine.rollback(mark)
        return trials

    def _judge(self, before: tuple[Call, ...], trials: list[Trial]) -> None:
        searched = self.searched
        quiet = []
        for pair in pairs(trials, self.service):
            names = self._pair_names(pair)
            if pair.ordered:
                searched.ordered[names] += 1
                searched.ordered_and_conflicting[names] += pair.conflicts
                continue
            searched.unordered[names] += 1
            if pair.conflicts:
                self._suspect(names, before, pair)
            else:
                quiet.append(pair)
        for pair in self._chance.sample(quiet, min(len(quiet), _IN_BOTH_ORDERS)):
            first, second = pair.first.call, pair.second.call
            if may_share_no_group(self.service, named_call(self.service, first), named_call(self.service, second)):
                searched.in_both_orders += 1
                if differ(self.machine, first, second):
                    self._suspect(self._pair_names(pair), before, pair)

    def _suspect(self, names: Names, before: tuple[Call, ...], pair: Pair) -> None:
        found = self.suspicions.setdefault(names, [])
        seen = self.searched.suspected[names]
        self.searched.suspected[names] += 1
        if len(found) >= _KEPT_SUSPICIONS and (found[-1].is_visible or seen > _LOOKED_AT):
            return
        first, second = sorted((pair.first.call, pair.second.call), key=lambda call: self._ops[call.command])
        found.append(Suspicion(before, first, second, differ(self.machine, first, second)))
        found.sort(key=lambda suspicion: (not suspicion.is_visible, len(suspicion.before)))
        del found[_KEPT_SUSPICIONS:]

    def _pair_names(self, pair: Pair) -> Names:
        first, second = sorted((pair.first.call.command, pair.second.call.command), key=self._ops.__getitem__)
        return first, second

    def _execute(self, call: Call) -> tuple[Outcome, bool]:
        """Execute and count one call; what it came to, and whether it reached lines for the first time."""
        outcome, is_further = self.coverage.call(self.machine, call)
        self.searched.calls += 1
        self.searched.executed[call.command] += 1
        self.searched.succeeded[call.command] += not outcome.raised
        self._cells[call.command] += len(outcome.touched)
        return outcome, is_further

    def _lightness(self, name: str) -> float:
        """1 for a command that touches few cells, less for one that goes through all: it takes long."""
        executed = self.searched.executed[name]
        return 1.0 if not executed else min(1.0, _LIGHT_CELLS * executed / (1 + self._cells[name]))

    def _is_new(self, call: Call, outcome: Outcome) -> bool:
        """Whether no call before touched state at these lines in this way, or was answered in this way."""
        marks: Iterable[tuple[object, ...]] = [
            (call.command, how, place.path, place.line)
            for cell, hows in outcome.touched.items()
            if cell.kind not in MEMORY
            for how, place in hows.items()
        ]
        marks = [*marks, (call.command, _kind_of_answer(outcome))]
        new = [mark for mark in marks if mark not in self._novelties]
        self._novelties.update(new)
        return bool(new)


def _kind_of_answer(outcome: Outcome) -> object:
    if outcome.raised:
        return str(outcome.reply)[:60]
    if isinstance(outcome.reply, int):
        return min(abs(int(outcome.reply)), _TOLD_APART)
    return len(outcome.reply) > 0 if isinstance(outcome.reply, bytes) else outcome.reply is None
