"""Stages of two calls executed as workers may execute them, beside what the log says: what a client or a replica would see of it.

The log says: the first call as a whole, then the second. Workers may

    EARLY     run the second's early stage first of all
    MAIN      run both early stages, then the second's main stage before the first's
    PASSING   run the second's early stage behind the first's, with any part of the first's main stage done, a word at a time

An early stage that answers WAIT out of its turn is asked again in it: that is no difference. (A reservation that succeeds without
the releases that are still to come has to succeed with them, too.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from psmr.verification.cells import ADD, READ, VALUE, WRITE, Cell, Touched, cell_text
from psmr.verification.machine import Call, Outcome, TracedMachine, waits
from psmr.verification.orders import call_text, value_text
from psmr.verification.stages import EARLY, MAIN, Kind

_PREFIXES_MAX = 8
_SINGLES_MAX = 6
_SHOWN_CELLS = 4


def stage_differences(machine: TracedMachine, kind: Kind, first: Call, second: Call) -> list[str]:
    """What differs from the execution in the order of the log, a line each; empty if nothing does. The machine is as before."""
    mark = machine.mark()
    try:
        if kind == EARLY:
            return _early_first(machine, first, second)
        if kind == MAIN:
            return _main_first(machine, first, second)
        found = _parts_missing(machine, first, second)
        machine.rollback(mark)
        return found or _all_missing(machine, first, second)
    finally:
        machine.rollback(mark)


class _Expected:
    """Both calls in the order of the log: what each came to; `held` is asked for cells before the state is put back."""

    def __init__(self, machine: TracedMachine, first: Call, second: Call) -> None:
        self._machine = machine
        self._mark = machine.mark()
        self.first = machine.call(first)
        self.early_of_second = machine.early(second)
        machine.rollback(self._mark)
        self._calls = (first, second)
        machine.call(first)
        self.second = machine.call(second)
        machine.rollback(self._mark)

    def differences(self, first: Outcome, second: Outcome, touched: Iterable[Touched]) -> list[str]:
        """Against what the calls have come to otherwise, in the state that the machine is in now."""
        found = []
        for call, expected, outcome in ((self._calls[0], self.first, first), (self._calls[1], self.second, second)):
            if expected.answer != outcome.answer:
                found.append(
                    f"the reply of {call_text(call)}: {value_text(expected.reply)}, or {value_text(outcome.reply)}"
                )
            if expected.events != outcome.events:
                found.append(f"the events of {call_text(call)}: {expected.events!r}, or {outcome.events!r}")
        return found + self._changed([*touched, self.first.touched, self.second.touched])

    def _changed(self, touched: Iterable[Touched]) -> list[str]:
        machine = self._machine
        cells = sorted({cell for each in touched for cell in _changed_by(each)}, key=repr)
        found = {cell: machine.held(cell) for cell in cells}
        machine.rollback(self._mark)
        for call in self._calls:
            machine.call(call)
        expected = {cell: machine.held(cell) for cell in cells}
        machine.rollback(self._mark)
        other = [cell for cell in cells if expected[cell] != found[cell]]
        lines = [
            f"{cell_text(cell)}: {value_text(expected[cell])}, or {value_text(found[cell])}"
            for cell in other[:_SHOWN_CELLS]
        ]
        return lines + (
            [f"and {len(other) - _SHOWN_CELLS} more cells of the state"] if len(other) > _SHOWN_CELLS else []
        )


def _early_first(machine: TracedMachine, first: Call, second: Call) -> list[str]:
    """The second's early stage before everything of the first."""
    expected = _Expected(machine, first, second)
    early_of_second = machine.early(second)
    if early_of_second is None or waits(early_of_second):
        return []
    one = _whole(machine, first, machine.early(first))
    other = _whole(machine, second, early_of_second)
    return expected.differences(one, other, (one.touched, other.touched))


def _main_first(machine: TracedMachine, first: Call, second: Call) -> list[str]:
    """Both early stages, then the second's main stage before the first's."""
    expected = _Expected(machine, first, second)
    early_of_first, early_of_second = machine.early(first), machine.early(second)
    if early_of_second is not None and waits(early_of_second):
        return []
    other = _whole(machine, second, early_of_second)
    one = _whole(machine, first, early_of_first)
    return expected.differences(one, other, (one.touched, other.touched))


def _all_missing(machine: TracedMachine, first: Call, second: Call) -> list[str]:
    """The second's early stage before the first's main stage, and on from there."""
    expected = _Expected(machine, first, second)
    early_of_first = machine.early(first)
    early_of_second = machine.early(second)
    if early_of_second is None or waits(early_of_second):
        return []
    one = _whole(machine, first, early_of_first)
    other = _whole(machine, second, early_of_second)
    return expected.differences(one, other, (one.touched, other.touched))


def _parts_missing(machine: TracedMachine, first: Call, second: Call) -> list[str]:
    """What the second's early stage answers and writes while parts of the first's main stage are done, those taken back as well."""
    expected = _Expected(machine, first, second)
    early_of_first = machine.early(first)
    if expected.early_of_second is None or _has_no_main(machine, first, early_of_first):
        return []
    before = machine.mark()
    main = machine.main(first, early_of_first)
    written = list(machine.recorder.written)
    full = _Answer(machine, second)
    machine.rollback(before)
    reads = set(full.reads)
    reads.update(_Answer(machine, second).reads)
    for part in _parts([(cell, value) for cell, value in written if cell in reads], is_undone=main.raised):
        for cell, value in part:
            machine.hold(cell, value)
        found = _Answer(machine, second)
        machine.rollback(before)
        shown = full.differences(found, second)
        if shown:
            return [f"{_state_text(first, part, is_undone=main.raised)}: {line}" for line in shown]
    return []


class _Answer:
    """An early stage executed in some state, and undone: what it answers and writes, and which values it reads."""

    def __init__(self, machine: TracedMachine, call: Call) -> None:
        mark = machine.mark()
        outcome = machine.early(call)
        if outcome is None:
            raise AssertionError("only calls with early stages are asked")
        self.outcome = outcome
        self.reads = [cell for cell, hows in outcome.touched.items() if cell.kind == VALUE and READ in hows]
        self.values = {cell: machine.held(cell) for cell in _changed_by(outcome.touched)}
        machine.rollback(mark)

    def differences(self, found: _Answer, call: Call) -> list[str]:
        """Lines for what another execution answers and writes otherwise; none where it waits to be asked again."""
        if waits(found.outcome):
            return []
        name = f"the early stage of {call_text(call)}"
        lines = []
        if self.outcome.answer != found.outcome.answer:
            lines.append(f"{name} answers {_said(found.outcome)}, and {_said(self.outcome)} when all of it is done")
        if self.outcome.events != found.outcome.events:
            lines.append(f"{name} emits {found.outcome.events!r}, and {self.outcome.events!r} when all of it is done")
        if self.outcome.answer == found.outcome.answer and self.values != found.values:
            cells = sorted({*self.values, *found.values}, key=repr)
            other = [cell for cell in cells if self.values.get(cell) != found.values.get(cell)]
            lines += [
                f"{name} leaves {value_text(found.values.get(cell))} in {cell_text(cell)}, and "
                f"{value_text(self.values.get(cell))} when all of it is done"
                for cell in other[:_SHOWN_CELLS]
            ]
        return lines


def _said(outcome: Outcome) -> str:
    return "WAIT" if waits(outcome) else value_text(outcome.reply)


def _parts(written: list[tuple[Cell, object]], *, is_undone: bool) -> Iterator[list[tuple[Cell, object]]]:
    """Parts of what a main stage writes: nothing, beginnings, single words, all but one. All of it only if it is undone then."""
    seen = []
    last = {cell: (cell, value) for cell, value in written}
    step = max(1, len(written) // _PREFIXES_MAX)
    singles = list(last.values())[:_SINGLES_MAX]
    candidates = [
        [],
        *(written[:count] for count in range(1, len(written), step)),
        *([one] for one in singles),
        *([one for one in last.values() if one is not left] for left in singles),
        *([written] if is_undone else []),
    ]
    for part in candidates:
        state = dict(part)
        if state not in seen and (is_undone or state != dict(written)):
            seen.append(state)
            yield list(state.items())


def _state_text(first: Call, part: list[tuple[Cell, object]], *, is_undone: bool) -> str:
    whose = f"the main stage of {call_text(first)}"
    if not part:
        return f"with nothing of {whose} done"
    shown = ", ".join(
        f"{cell_text(cell)} = {value_text(value.item() if isinstance(value, np.generic) else value)}"
        for cell, value in part[:_SHOWN_CELLS]
    )
    taken_back = ", which raises and is taken back" if is_undone else ""
    return f"with a part of {whose} done{taken_back} ({shown})"


def _has_no_main(machine: TracedMachine, call: Call, early: Outcome | None) -> bool:
    return machine.service.command(call.command).stage == "early" or (early is not None and early.raised)


def _whole(machine: TracedMachine, call: Call, early: Outcome | None) -> Outcome:
    """The call's main stage after its early one, and what the call has come to."""
    if early is not None and _has_no_main(machine, call, early):
        return early
    main = machine.main(call, early)
    if early is None:
        return main
    return main._replace(events=(*early.events, *main.events), touched={**early.touched, **main.touched})


def _changed_by(touched: Touched) -> Iterator[Cell]:
    return (cell for cell, hows in touched.items() if cell.kind == VALUE and (WRITE in hows or ADD in hows))
