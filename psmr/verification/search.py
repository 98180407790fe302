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
from psmr.verification.passing import stage_differences
from psmr.verification.pools import Palette, Pools
from psmr.verification.raising import Raises
from psmr.verification.stages import Kind, StagePair, stage_pairs, stage_prints

_LENGTHS = (0, 1, 2, 4, 8, 8, 16, 16, 32, 64, 160)
_WEIGHTS = (0, 1, 1, 3, 8)
_TRIALS = 28
_KEPT_PREFIXES = 200
_KEPT_SUSPICIONS = 4
_LOOKED_AT = 200
"""Of a pair of commands, how many suspicions are tried for one whose order shows."""
_IN_BOTH_ORDERS = 3
_STAGES_EXECUTED = 12
"""From each state, how many early stages are executed before main stages that write what they read."""
_AMOUNTS_TRIED = 2
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
    kind: Kind | None = None
    """Which stages of the two, of a service with early stages; of PASSING the first stands before the second in the log."""


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
    raised: Raises = field(default_factory=Raises)


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
        self.suspicions: dict[tuple[str, ...], list[Suspicion]] = {}
        """By the names of two commands, and the kind of stages, if they have any."""
        self.novel: list[Trial] = []
        """Executions on the way to a state that did something for the first time."""
        self._observe = observe
        self._chance = Random(seed)
        self._pools = Pools(owner, self.service, examples, self._chance)
        self._footprint = footprints(self.service)
        self._names = [command.name for command in self.service.commands]
        self._ops = {command.name: command.op for command in self.service.commands}
        self._beginnings = [tuple(calls) for calls in beginnings]
        self._prefixes: list[tuple[Call, ...]] = [(), *self._beginnings]
        self._novelties: set[tuple[object, ...]] = set()
        self._cells: Counter[str] = Counter()
        self.coverage = Coverage(owner, self.service)
        self._stage_print = stage_prints(self.service) if self.service.is_staged else None

    def explore(self) -> None:
        """Reach a state and examine calls from it."""
        palette = self._pools.palette()
        before = self._walk(palette)
        palette.learn(part for cell, value in self.machine.content().items() for part in (cell.key, value))
        trials = self._trials(palette, before)
        self.searched.states += 1
        if self._observe is not None:
            self._observe(trials)
        self._judge(before, trials, palette)
        self.machine.rollback(0)

    def suspected(self) -> set[str]:
        """The commands that are in a suspicion."""
        return {name for key in self.suspicions for name in key[:2]}

    def _walk(self, palette: Palette) -> tuple[Call, ...]:
        """Bring the machine into a state: a known way to something new, or none, and some calls more."""
        chance = self._chance
        before = self._known_way()
        if before and chance.random() < _TWINS:
            before += palette.renamed(before)
        for call in before:
            self._step(call, palette)
            palette.learn(call.arguments)
            palette.remember(call)
        weights = [chance.choice(_WEIGHTS) * self._lightness(name) for name in self._names]
        if not any(weights):
            weights[chance.randrange(len(weights))] = 1
        repeated = chance.random() < 0.1
        for name in chance.choices(self._names, weights, k=chance.choice(_LENGTHS)):
            call = before[-1] if repeated and before else palette.call(name)
            before.append(call)
            palette.remember(call)
            if self._step(call, palette) and len(self._prefixes) < _KEPT_PREFIXES:
                self._prefixes.append(tuple(before))
        return tuple(before)

    def _known_way(self) -> list[Call]:
        """Nothing, a way to something new, or one of those that the application is meant for: generated calls seldom find these."""
        chance = self._chance
        if chance.random() < 0.5:
            return []
        if self._beginnings and chance.random() < 0.5:
            return list(chance.choice(self._beginnings))
        return list(chance.choice(self._prefixes))

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

    def _judge(self, before: tuple[Call, ...], trials: list[Trial], palette: Palette) -> None:
        if self._stage_print is not None:
            self._judge_stages(before, list(stage_pairs(trials, self._stage_print)), palette)
            return
        quiet = [pair for pair in pairs(trials, self.service) if self._is_open(before, pair)]
        for pair in self._chance.sample(quiet, min(len(quiet), _IN_BOTH_ORDERS)):
            first, second = pair.first.call, pair.second.call
            if may_share_no_group(self.service, named_call(self.service, first), named_call(self.service, second)):
                self.searched.in_both_orders += 1
                if differ(self.machine, first, second):
                    self._suspect(self._pair_names(pair), before, pair)

    def _judge_stages(self, before: tuple[Call, ...], found: list[StagePair], palette: Palette) -> None:
        """As `_judge`, of the stages of calls: what main stages write and early ones read is told by executing them."""
        open_pairs = [pair for pair in found if self._is_open(before, pair)]
        open_questions = [pair for pair in open_pairs if pair.must_execute]
        quiet = [pair for pair in open_pairs if not pair.must_execute]
        chosen = self._chance.sample(open_questions, min(len(open_questions), _STAGES_EXECUTED))
        # What is granted hangs on amounts: the same early stage with another one, which its keys do not name.
        varied = [
            pair._replace(second=pair.second._replace(call=palette.varied(pair.second.call)))
            for pair in chosen
            for _ in range(_AMOUNTS_TRIED)
        ]
        for pair in [*chosen, *varied, *self._chance.sample(quiet, min(len(quiet), _IN_BOTH_ORDERS))]:
            self.searched.in_both_orders += 1
            if stage_differences(self.machine, pair.kind, pair.first.call, pair.second.call):
                self._suspect(self._pair_names(pair), before, pair)

    def _is_open(self, before: tuple[Call, ...], pair: Pair | StagePair) -> bool:
        """Count a pair, and suspect one that conflicts unordered; whether only executing it in both orders could say more."""
        names, searched = self._pair_names(pair), self.searched
        if pair.ordered:
            searched.ordered[names] += 1
            searched.ordered_and_conflicting[names] += pair.conflicts
            return False
        searched.unordered[names] += 1
        if pair.conflicts:
            self._suspect(names, before, pair)
        return not pair.conflicts

    def _suspect(self, names: Names, before: tuple[Call, ...], pair: Pair | StagePair) -> None:
        kind = pair.kind if isinstance(pair, StagePair) else None
        found = self.suspicions.setdefault(names if kind is None else (*names, kind), [])
        seen = self.searched.suspected[names]
        self.searched.suspected[names] += 1
        if len(found) >= _KEPT_SUSPICIONS and (found[-1].is_visible or seen > _LOOKED_AT):
            return
        first, second = pair.first.call, pair.second.call
        if kind is None:
            first, second = sorted((first, second), key=lambda call: self._ops[call.command])
            is_visible = differ(self.machine, first, second)
        else:
            is_visible = bool(stage_differences(self.machine, kind, first, second))
        found.append(Suspicion(before, first, second, is_visible, kind))
        found.sort(key=lambda suspicion: (not suspicion.is_visible, len(suspicion.before)))
        del found[_KEPT_SUSPICIONS:]

    def _pair_names(self, pair: Pair | StagePair) -> Names:
        first, second = sorted((pair.first.call.command, pair.second.call.command), key=self._ops.__getitem__)
        return first, second

    def _execute(self, call: Call) -> tuple[Outcome, bool]:
        """Execute and count one call; what it came to, and whether it reached lines for the first time."""
        outcome, is_further = self.coverage.call(self.machine, call)
        self.searched.calls += 1
        self.searched.executed[call.command] += 1
        self.searched.succeeded[call.command] += not outcome.raised
        if outcome.raised:
            self.searched.raised.add(call.command, str(outcome.reply), self.machine.raised_at)
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
