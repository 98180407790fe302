"""What each command of a log did, wherever it is executed: the first place at which two executions differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cdep import StateMachine
from psmr.verification.cells import VALUE, Cell, cell_text
from psmr.verification.explaining import explained
from psmr.verification.machine import Call, Outcome, TracedMachine
from psmr.verification.orders import call_text, value_text
from psmr.verification.search import Suspicion
from psmr.verification.shrinking import refutation_of, shrunk

_NEAR = 48
"""How far from a command that differs the one is looked for with which it does not commute."""
_SHOWN = 4


class Effect(NamedTuple):
    """Reply, events and writes of one command; `answer` is the reply in a form that `==` compares as bytes."""

    reply: Any
    raised: bool
    answer: bytes
    events: tuple[tuple[str, tuple[bytes, ...]], ...]
    writes: dict[Cell, Any]


class Difference(NamedTuple):
    """The command at `place` of the log (from 0) did one thing where it was executed first and another elsewhere."""

    place: int
    at: tuple[str, str]
    effects: tuple[Effect, Effect]


def effect_of(machine: TracedMachine, outcome: Outcome) -> Effect:
    """What a command that was just executed did."""
    writes = {} if outcome.raised else machine.written(outcome.touched)
    return Effect(outcome.reply, outcome.raised, outcome.answer, outcome.events, writes)


class Witness:
    """Sees every execution of every command of one log. `difference` is the one lowest in the log, None if there is none."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.difference: Difference | None = None
        self._first: dict[int, tuple[str, Effect]] = {}

    def ordered(self, place: int, call: Call) -> None:
        """The call at `place` of the log, told in that order, as often as it is delivered."""
        if place == len(self.calls):
            self.calls.append(call)

    def executed(self, where: str, place: int, effect: Effect) -> None:
        """It was executed there, and did that."""
        first_at, first = self._first.setdefault(place, (where, effect))
        is_other = (first.answer, first.events, first.writes) != (effect.answer, effect.events, effect.writes)
        if is_other and (self.difference is None or place < self.difference.place):
            self.difference = Difference(place, (first_at, where), (first, effect))


def told(owner: type[StateMachine], calls: Sequence[Call], found: Difference) -> list[str]:
    """A difference in words: the command, what it did here and there, and why as far as that can be found."""
    call = calls[found.place]
    one, other = found.at
    lines = [
        f"{owner.__name__}: replicas that executed one log differ; first at command {found.place + 1} of it, {call_text(call)}"
    ]
    first, second = found.effects
    if first.answer != second.answer:
        lines.append(f"  reply: {value_text(first.reply)} on {one}, {value_text(second.reply)} on {other}")
    if first.events != second.events:
        lines.append(f"  events: {first.events} on {one}, {second.events} on {other}")
    cells = [cell for cell in {**first.writes, **second.writes} if first.writes.get(cell) != second.writes.get(cell)]
    for cell in cells[:_SHOWN]:
        held = [value_text(writes.get(cell)) for writes in (first.writes, second.writes)]
        lines.append(f"  {cell_text(cell)}: {held[0]} on {one}, {held[1]} on {other}")
    if len(cells) > _SHOWN:
        lines.append(f"  and {len(cells) - _SHOWN} more cells")
    return [*lines, *(f"  {line}" for line in _why(owner, calls[: found.place + _NEAR], found.place))]


def cells_of(state: Mapping[Any, Any]) -> dict[Cell, Any]:
    """A state by cell: traced state as it is, that of an engine (a dict or rows by field, of tables columns) taken apart."""
    found: dict[Cell, Any] = {}
    for name, content in state.items():
        if isinstance(name, Cell):
            found[name] = content
            continue
        is_table = isinstance(content, dict) and content and all(isinstance(key, str) for key in content)
        parts = {f"{name}.{field}": rows for field, rows in content.items()} if is_table else {name: content}
        for part, rows in parts.items():
            items = rows.items() if isinstance(rows, dict) else enumerate(rows)
            found.update({Cell(part, VALUE, key): value for key, value in items})
    return found


def states_told(
    owner: type[StateMachine], states: Mapping[str, Mapping[Any, Any]], after: str = "executed one log"
) -> tuple[list[str], list[Cell]]:
    """Where two of some states differ, in words and as cells; nothing where they do not."""
    if not states:
        return [], []
    one, *others = states
    for other in others:
        if states[other] == states[one]:
            continue
        here, there = cells_of(states[one]), cells_of(states[other])
        cells = [cell for cell in {**here, **there} if repr(here.get(cell)) != repr(there.get(cell))]
        lines = [f"{owner.__name__}: {one} and {other} {after}, and their states differ"]
        for cell in cells[:_SHOWN]:
            held = [value_text(content.get(cell)) for content in (here, there)]
            lines.append(f"  {cell_text(cell)}: {held[0]} on {one}, {held[1]} on {other}")
        return lines + ([f"  and {len(cells) - _SHOWN} more cells"] if len(cells) > _SHOWN else []), cells
    return [], []


def _why(owner: type[StateMachine], calls: Sequence[Call], place: int) -> list[str]:
    if not _does_the_same_twice(owner, calls[: place + 1]):
        return [
            "executed twice, one command after another, it does not do the same either: a handler reads more than its arguments "
            "and the declared state",
            "cure: `psmr cdep lint` names the line of most such reads; pass the value as an argument, or use `self.now_us`",
        ]
    machine = TracedMachine(owner)
    for other in _nearest(place, len(calls)):
        early, late = sorted((place, other))
        before = (*calls[:early], *calls[early + 1 : late])
        suspicion = Suspicion(before, calls[early], calls[late])
        if refutation_of(machine, suspicion) is not None:
            found = shrunk(machine, [suspicion])
            return explained(machine.service, found) if found is not None else []
    return ["in the order of the log, one after another, it does the same: look for the pair with assert_commutes"]


def _does_the_same_twice(owner: type[StateMachine], calls: Sequence[Call]) -> bool:
    runs = []
    for _ in range(2):
        machine = TracedMachine(owner)
        runs.append([effect_of(machine, machine.call(call)) for call in calls])
    return runs[0] == runs[1]


def _nearest(place: int, count: int) -> list[int]:
    around = [other for other in range(max(0, place - _NEAR), min(count, place + _NEAR)) if other != place]
    return sorted(around, key=lambda other: abs(other - place))
