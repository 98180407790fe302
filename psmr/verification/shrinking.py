"""From a suspicion to the least of its kind: fewer calls before, smaller arguments, the same two commands in conflict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdep import ValueType, conflict
from psmr.verification.cells import READ, VALUE, WRITE
from psmr.verification.examining import Clash, clash_of
from psmr.verification.machine import FIRST_STAMP_US, Call, TracedMachine, named_call
from psmr.verification.orders import both_orders, differences
from psmr.verification.passing import stage_differences
from psmr.verification.pools import fits
from psmr.verification.search import Suspicion
from psmr.verification.stages import PASSING, Kind, are_ordered, clash_of_stages, stage_prints

_TRIES_MAX = 1500


@dataclass(frozen=True, slots=True)
class Refutation:
    """Two calls that C-Dep does not order, and why it should.

    `clash` is the cell in which they conflict; None where no traced cell shows it, only the two orders. `differences` is what
    the orders make different, a line each; empty where only two workers at once would show it. `kind`: which stages of the two,
    of a service with early stages.
    """

    before: tuple[Call, ...]
    first: Call
    second: Call
    clash: Clash | None
    differences: tuple[str, ...]
    kind: Kind | None = None


def refutation_of(machine: TracedMachine, suspicion: Suspicion) -> Refutation | None:
    """The suspicion examined once more, from the beginning; None if it is none. The machine is empty before and after."""
    if suspicion.kind is not None:
        return _refutation_of_stages(machine, suspicion, suspicion.kind)
    if conflict(machine.service, *(named_call(machine.service, call) for call in (suspicion.first, suspicion.second))):
        return None
    try:
        for call in suspicion.before:
            machine.call(call)
        clash = clash_of(machine, suspicion.first, suspicion.second)
        shown = differences(suspicion.first, suspicion.second, *both_orders(machine, suspicion.first, suspicion.second))
    finally:
        machine.rollback(0)
    if clash is None and not shown:
        return None
    return Refutation(suspicion.before, suspicion.first, suspicion.second, clash, tuple(shown))


def _refutation_of_stages(machine: TracedMachine, suspicion: Suspicion, kind: Kind) -> Refutation | None:
    first, second = suspicion.first, suspicion.second
    stage_print = stage_prints(machine.service)
    declared = (stage_print(first), stage_print(second))
    if are_ordered(kind, *declared):
        return None
    try:
        for call in suspicion.before:
            machine.call(call)
        mark = machine.mark()
        stages = []
        for call in (first, second):
            stages.append(machine.call(call).stages)
            machine.rollback(mark)
        clash = clash_of_stages(kind, (first, second), (stages[0], stages[1]), declared)
        shown = stage_differences(machine, kind, first, second)
    finally:
        machine.rollback(0)
    if not shown and (clash is None or (kind == PASSING and clash.how == (WRITE, READ) and clash.cell.kind == VALUE)):
        return None
    return Refutation(suspicion.before, first, second, clash, tuple(shown), kind)


def shrunk(machine: TracedMachine, suspicions: list[Suspicion]) -> Refutation | None:
    """The least refutation of some suspicions about one pair of commands; one whose orders differ visibly, if there is one."""
    confirmed = [
        found for found in (refutation_of(machine, suspicion) for suspicion in suspicions) if found is not None
    ]
    if not confirmed:
        return None
    visible = [found for found in confirmed if found.differences]
    return _Shrinking(machine, (visible or confirmed)[0]).run()


class _Shrinking:
    """Tries what is smaller, and keeps it while it refutes in the same way."""

    def __init__(self, machine: TracedMachine, found: Refutation) -> None:
        self._machine = machine
        self._found = found
        self._tries = 0

    def run(self) -> Refutation:
        is_smaller = True
        while is_smaller and self._tries < _TRIES_MAX:
            is_smaller = self._fewer_calls() or self._smaller_values()
        return self._found

    def _keeps(self, calls: list[Call]) -> bool:
        """Whether the calls, the last two of them the pair, still refute; if so they are kept."""
        if self._tries >= _TRIES_MAX or calls == self._calls():
            return False
        self._tries += 1
        *before, first, second = calls
        found = refutation_of(self._machine, Suspicion(tuple(before), first, second, kind=self._found.kind))
        if found is None or self._kind(found) != self._kind(self._found):
            return False
        self._found = found
        return True

    def _kind(self, found: Refutation) -> tuple[object, ...]:
        return found.clash and (found.clash.cell.kind, found.clash.cell.container), bool(found.differences)

    def _calls(self) -> list[Call]:
        return [*self._found.before, self._found.first, self._found.second]

    def _fewer_calls(self) -> bool:
        """Leave out calls before the pair, many at once first."""
        has_shrunk = False
        size = len(self._found.before)
        while size >= 1:
            place = 0
            while place < len(self._found.before):
                calls = self._calls()
                if self._keeps([*calls[:place], *calls[min(place + size, len(calls) - 2) :]]):
                    has_shrunk = True
                else:
                    place += size
            size //= 2
        return has_shrunk

    def _smaller_values(self) -> bool:
        """Make a value smaller wherever it stands, then where it stands alone."""
        has_shrunk = False
        for replaced in self._values():
            for smaller in _smaller(replaced):
                if self._keeps(self._replaced(replaced, smaller)):
                    has_shrunk = True
                    break
        for place in range(len(self._calls())):
            has_shrunk = self._smaller_arguments(place) or has_shrunk
        return has_shrunk

    def _smaller_arguments(self, place: int) -> bool:
        has_shrunk = False
        call = self._calls()[place]
        for number, value in enumerate(call.arguments):
            for smaller in _smaller(value):
                calls = self._calls()
                calls[place] = self._with(calls[place], smaller, {number})
                if self._keeps(calls):
                    has_shrunk = True
                    break
        if call.now_us != FIRST_STAMP_US:
            calls = self._calls()
            calls[place] = calls[place]._replace(now_us=FIRST_STAMP_US)
            has_shrunk = self._keeps(calls) or has_shrunk
        return has_shrunk

    def _values(self) -> Iterator[Any]:
        found: list[Any] = []
        for call in self._calls():
            found += [value for value in call.arguments if not _is_among(value, found)]
        return iter(found)

    def _replaced(self, old: Any, new: Any) -> list[Call]:
        calls = self._calls()
        places = [{at for at, value in enumerate(call.arguments) if _is_among(value, [old])} for call in calls]
        return [self._with(call, new, at) for call, at in zip(calls, places, strict=True)]

    def _with(self, call: Call, new: Any, places: set[int]) -> Call:
        """The call with another argument at some places, except where the parameter could not carry it."""
        parameters = self._machine.service.command(call.command).parameters
        arguments = [
            new if place in places and _can_carry(parameter.type, new) else old
            for place, (parameter, old) in enumerate(zip(parameters, call.arguments, strict=True))
        ]
        return call._replace(arguments=tuple(arguments))


def _is_among(value: Any, values: list[Any]) -> bool:
    return any(type(value) is type(other) and repr(value) == repr(other) for other in values)


def _can_carry(kind: ValueType, value: Any) -> bool:
    if kind.kind == "fixed":
        return isinstance(value, bytes) and len(value) == kind.limit
    if kind.kind == "bytes":
        return isinstance(value, bytes) and len(value) <= kind.limit
    if kind.kind == "bool":
        return isinstance(value, bool)
    if kind.kind == "float":
        return isinstance(value, float)
    return isinstance(value, int) and not isinstance(value, bool) and fits(kind, value)


def _smaller(value: Any) -> Iterator[Any]:
    """Simpler values than this one, the simplest first."""
    if isinstance(value, bool):
        yield from [False] if value else []
    elif isinstance(value, int):
        candidates = (0, 1, 2, 3, abs(value) // 2, abs(value) - 1)
        yield from (
            candidate for candidate in dict.fromkeys(candidates) if candidate < abs(value) or value < 0 <= candidate
        )
    elif isinstance(value, float):
        simple = ["0.0", "1.0", "2.0"]
        yield from map(float, simple[: simple.index(repr(value))] if repr(value) in simple else simple)
    elif isinstance(value, bytes):
        zeros = bytes(len(value))
        candidates_of_bytes = (b"", b"a", b"b", value[:1], value[: len(value) // 2], value[:-1], zeros)
        rank = (len(value), value)
        yield from (short for short in dict.fromkeys(candidates_of_bytes) if (len(short), short) < rank)
