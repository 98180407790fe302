"""What another annotation would give: the same commands under rules that differ in one thing.

Each is a question, not advice: a declaration must be true. Whether a command writes, and whether two orders of two commands are
as good as each other, is known to whoever wrote the handler; each answer says what would have to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cdep.command import Command
from cdep.critical_path import critical_path
from cdep.prediction import Costs, Predictor
from cdep.program import NOTHING, READ, WRITE, Program, Rules, rules_of, touches_of
from cdep.service import Service
from cdep.staged_model import is_staged


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Other rules: what is changed, and what must hold for it to be right."""

    text: str
    valid_if: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Gain:
    """What a change would give: commands a second by number of workers, as predicted, and the greatest speed-up by C-Dep."""

    text: str
    valid_if: str
    per_s: tuple[float, ...]
    speed_up_max: float


def changes_of(service: Service) -> Iterator[Change]:
    """Each thing that might be declared otherwise, alone; nothing yet of a service with early stages."""
    base = rules_of(service)
    if is_staged(service):
        return
    for command in service.commands:
        yield from _whole(service, command, base) if command.kind == "dependent" else _partial(command, base)
    domains = sorted({key.domain for command in service.commands for key in command.dependencies})
    for domain in domains:
        yield _spread(service, domain, base)
    if not base.commutative:
        yield Change(
            'order="commutative"',
            "commands of one batch may be executed in another order than they stand in",
            base.copy(commutative=True),
        )


def _whole(service: Service, command: Command, base: Rules) -> Iterator[Change]:
    """A command on everything might only read, depend on keys, or on nothing."""
    if command.access == "write":
        rules = base.copy()
        rules.whole[command.op] = READ
        yield Change(f'{command.name}: @dependent(access="read")', f"{command.name} writes nothing", rules)
    touches = touches_of(service, command)
    for wanted in [[place] for place in range(len(touches))] + ([[*range(len(touches))]] if len(touches) > 1 else []):
        rules = base.copy()
        rules.whole[command.op] = NOTHING
        for place in wanted:
            rules.access[command.op, place] = READ if command.access == "read" else WRITE
            rules.spread[command.op, place] = touches[place].domain in service.spread_reads
        names = ", ".join(touches[place].parameter for place in wanted)
        yield Change(
            f"{command.name}: @partially_dependent on {names}",
            f"{command.name} touches nothing but what belongs to its {names}",
            rules,
        )
    rules = base.copy()
    rules.whole[command.op] = NOTHING
    yield Change(f"{command.name}: @independent", f"{command.name} commutes with every command", rules)


def _partial(command: Command, base: Rules) -> Iterator[Change]:
    """A command on keys might only read one of them, or not depend on it."""
    for place, key in enumerate(command.dependencies):
        if key.access == "write":
            rules = base.copy()
            rules.access[command.op, place] = READ
            yield Change(
                f"{command.name}: {key.parameter} read instead of written",
                f"{command.name} changes nothing that belongs to its {key.parameter}",
                rules,
            )
        rules = base.copy()
        rules.access[command.op, place] = NOTHING
        text = (
            f"{command.name}: @independent"
            if len(command.dependencies) == 1
            else f"{command.name}: without {key.parameter}"
        )
        yield Change(
            text,
            f"its order against other commands with an equal {key.parameter} does not matter, or a stage of its own keeps it",
            rules,
        )


def _spread(service: Service, domain: str, base: Rules) -> Change:
    """Reads of a domain go anywhere and its writes everywhere, or the reverse where that is so already."""
    is_spread = domain in service.spread_reads
    rules = base.copy()
    for command in service.commands:
        for place, key in enumerate(command.dependencies):
            if key.domain == domain:
                rules.spread[command.op, place] = not is_spread
    if is_spread:
        return Change(f"{domain} no longer in spread_reads", "always: it changes the mapping to groups only", rules)
    return Change(f'spread_reads=("{domain}",)', "always: it changes the mapping to groups only", rules)


def gains(program: Program, costs: Costs, workers: Sequence[int], *, at_least: float = 0.005) -> list[Gain]:
    """What each change would give at each number of workers, the most at the last of them first.

    Left out: what changes the rate at each of them and the greatest speed-up by less than the share `at_least`.
    """
    base = _gain(program, Change("", "", rules_of(program.service)), costs, workers)
    found = [_gain(program, change, costs, workers) for change in changes_of(program.service)]
    kept = [gain for gain in found if _differs(gain, base, at_least)]
    return sorted(kept, key=lambda gain: (-gain.per_s[-1], -gain.speed_up_max, gain.text))


def _gain(program: Program, change: Change, costs: Costs, workers: Sequence[int]) -> Gain:
    predictor = Predictor(program, change.rules, costs)
    rates = tuple(predictor.at(count).engine_per_s for count in workers)
    path = critical_path(program, change.rules, predictor.order)
    return Gain(change.text, change.valid_if, rates, path.speed_up_max)


def _differs(gain: Gain, base: Gain, share: float) -> bool:
    pairs = [*zip(gain.per_s, base.per_s, strict=True), (gain.speed_up_max, base.speed_up_max)]
    return any(new > old * (1 + share) for new, old in pairs)
