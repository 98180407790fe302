"""Many calls from one state, each on its own: which of them touch one another's cells although C-Dep lets them run in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cdep import Service
from psmr.verification.cells import ADD, MEMORY, READ, WRITE, Cell, Place, clash
from psmr.verification.declared import Footprint, may_share_no_group, ordered
from psmr.verification.machine import Call, Outcome, TracedMachine, named_call


class Trial(NamedTuple):
    """A call from the state under examination, what it came to, and what its declaration says it touches."""

    call: Call
    outcome: Outcome
    declared: Footprint


class _Sets(NamedTuple):
    """The cells of a trial by how it touches them; those of shared memory apart."""

    read: frozenset[Cell]
    added: frozenset[Cell]
    written: frozenset[Cell]
    all: frozenset[Cell]
    memory: frozenset[Cell]
    memory_changed: frozenset[Cell]


@dataclass(frozen=True, slots=True)
class Clash:
    """Two calls that conflict in a cell: how, and where in the source."""

    first: Call
    second: Call
    cell: Cell
    how: tuple[str, str]
    places: tuple[Place, Place]


class Pair(NamedTuple):
    """Two trials, whether C-Dep orders them, and whether their cells conflict."""

    first: Trial
    second: Trial
    ordered: bool
    conflicts: bool


def pairs(trials: Sequence[Trial], service: Service) -> Iterator[Pair]:
    """Every two of the trials, each with itself included."""
    sets = [_sets(trial.outcome) for trial in trials]
    for place, one in enumerate(trials):
        for other_place in range(place, len(trials)):
            other = trials[other_place]
            is_ordered = ordered(one.declared, other.declared)
            conflicts = _conflict(sets[place], sets[other_place])
            if not conflicts and not is_ordered and _meet_in_memory(sets[place], sets[other_place]):
                conflicts = _may_run_at_once(service, one, other)
            yield Pair(one, other, is_ordered, conflicts)


def clash_of(machine: TracedMachine, first: Call, second: Call) -> Clash | None:
    """Where two calls, each executed from the machine's state, conflict; the machine is as before.

    Cells that hold values come first. Memory that a group's keys share counts only for calls that two workers may run at once.
    """
    mark = machine.mark()
    one = machine.call(first).touched
    machine.rollback(mark)
    other = machine.call(second).touched
    machine.rollback(mark)
    shared = sorted(
        (cell for cell in one if cell in other), key=lambda cell: (cell.kind in MEMORY, cell.kind, repr(cell))
    )
    for cell in shared:
        how = clash(one[cell], other[cell])
        if how is None:
            continue
        if cell.kind in MEMORY and not may_share_no_group(
            machine.service, named_call(machine.service, first), named_call(machine.service, second)
        ):
            continue
        return Clash(first, second, cell, how, (one[cell][how[0]], other[cell][how[1]]))
    return None


def _may_run_at_once(service: Service, one: Trial, other: Trial) -> bool:
    return may_share_no_group(service, named_call(service, one.call), named_call(service, other.call))


def _sets(outcome: Outcome) -> _Sets:
    values = [(cell, hows) for cell, hows in outcome.touched.items() if cell.kind not in MEMORY]
    memory = [(cell, hows) for cell, hows in outcome.touched.items() if cell.kind in MEMORY]
    return _Sets(
        frozenset(cell for cell, hows in values if READ in hows),
        frozenset(cell for cell, hows in values if ADD in hows),
        frozenset(cell for cell, hows in values if WRITE in hows),
        frozenset(cell for cell, _ in values),
        frozenset(cell for cell, _ in memory),
        frozenset(cell for cell, hows in memory if WRITE in hows),
    )


def _conflict(one: _Sets, other: _Sets) -> bool:
    return not (
        one.written.isdisjoint(other.all)
        and other.written.isdisjoint(one.all)
        and one.added.isdisjoint(other.read)
        and other.added.isdisjoint(one.read)
    )


def _meet_in_memory(one: _Sets, other: _Sets) -> bool:
    return not (one.memory_changed.isdisjoint(other.memory) and other.memory_changed.isdisjoint(one.memory))
