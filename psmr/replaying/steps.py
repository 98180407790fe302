"""A step: one command as it was executed, what it answered and emitted, and which cells it changed from what to what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cdep import Service
from proxies.calls import CommandCall, Raised, calls_of, order_of, replies_of
from proxies.layout import ServiceLayout
from psmr.core.batch import Batch
from psmr.core.event_format import declared_events, records
from psmr.core.reply import parse_reply
from psmr.execution.outcome import Executed
from psmr.replaying.cells import CellName, Cells, Held, Touched
from psmr.replaying.noted import Noted
from psmr.replaying.player import Played
from psmr.replaying.position import Position

Emitted = tuple[str, dict[str, Any]]
"""An event: its name, and its fields."""

WRITES_MAX = 10_000
"""Of one command, how many cells are told: one that clears a map changes as many as it has keys."""


@dataclass(frozen=True, slots=True)
class Write:
    """A cell that a command wrote: None for a key that was not there, before or after.

    `place`: of a map, where its entry lies (where it lay, when it is gone): the order of cursors follows from places.
    """

    cell: CellName
    old: Any
    new: Any
    place: str | None = None
    old_place: str | None = None

    @property
    def is_change(self) -> bool:
        """Whether the cell is another since."""
        return (_same(self.old), self.old_place) != (_same(self.new), self.place)


@dataclass(slots=True)
class Step:
    """One command: `position` names its row in the entry, `batch_row` that in its batch, which events carry, too.

    `raised`: the text of what its handler raised, then `reply` is None. `left_out`: writes beyond WRITES_MAX.
    """

    position: Position
    batch_row: int
    session: int
    sequence: int
    now_us: int
    command: str
    arguments: dict[str, Any]
    reply: Any = None
    raised: str | None = None
    events: list[Emitted] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    left_out: int = 0
    noted: list[Noted] = field(default_factory=list)

    def undo(self) -> None:
        """Take back what the command changed; those behind it first."""
        for each in reversed(self.noted):
            each.undo()

    def redo(self) -> None:
        """Do it again."""
        for each in self.noted:
            each.redo()


def steps_of(layout: ServiceLayout, cells: Cells, played: Played) -> list[Step]:
    """The commands of an entry in the order of their execution, with their writes; the state is as it was when it returns."""
    steps = taken_back(layout, played)
    for step in steps:
        step.redo()
        tell_writes(cells, step)
    return steps


def taken_back(layout: ServiceLayout, played: Played) -> list[Step]:
    """The commands of an entry, without their writes; the state is that before the entry, and each `redo` leads on."""
    steps = commands_of(layout, played)
    for step in reversed(steps):
        step.undo()
    return steps


def tell_writes(cells: Cells, step: Step) -> None:
    """Fill in what a command wrote; the state must be that right behind it, and is so again."""
    touched = _touched(cells, step)
    after = _held(cells, touched)
    step.undo()
    before = _held(cells, touched)
    step.redo()
    _tell(step, before, after)


def commands_of(layout: ServiceLayout, played: Played) -> list[Step]:
    """The commands of an entry in the order of their execution, without their writes."""
    noted: dict[tuple[int, int], list[Noted]] = {}
    for each in played.noted.commands():
        noted.setdefault((each.slot, each.row), []).append(each)
    found: list[Step] = []
    for number, (batch, executed) in enumerate(zip(played.batches, played.executed, strict=True)):
        calls = calls_of(layout, batch.records, batch.count, batch.blob)
        steps = _steps_of_batch(layout, played, batch, executed, calls, len(found))
        for place, row in enumerate(order_of(layout, calls)):
            steps[row].noted = noted.get((played.first_slot + number, place), [])
            found.append(steps[row])
    return found


def _steps_of_batch(
    layout: ServiceLayout, played: Played, batch: Batch, executed: Executed, calls: list[CommandCall], first_row: int
) -> list[Step]:
    reply = parse_reply(executed.reply)
    replies = replies_of(layout, calls, reply.records, reply.blob)
    names = {command.name: [parameter.name for parameter in command.parameters] for command in layout.service.commands}
    steps = [
        Step(
            Position(played.entry.index, first_row + row),
            row,
            batch.session,
            batch.sequence,
            played.entry.time_us,
            call.command,
            dict(zip(names[call.command], call.arguments, strict=True)),
            None if isinstance(answer, Raised) else answer,
            answer.text if isinstance(answer, Raised) else None,
        )
        for row, (call, answer) in enumerate(zip(calls, replies, strict=True))
    ]
    for row, event in _events_in(layout.service, executed.events):
        steps[row].events.append(event)
    return steps


def events_of(service: Service, events: bytes, batch_row: int) -> list[Emitted]:
    """Of a batch's events those of one of its commands."""
    return [event for row, event in _events_in(service, events) if row == batch_row]


def _events_in(service: Service, events: bytes) -> Iterator[tuple[int, Emitted]]:
    layouts = list(declared_events(service).items())
    for kind, row, place in records(events):
        name, layout = layouts[kind]
        yield row, (name, layout.decode(events, place))


def _touched(cells: Cells, step: Step) -> list[Touched]:
    if not step.noted:
        return []
    addresses = np.concatenate([each.addresses for each in step.noted])
    before = np.concatenate([each.before for each in step.noted])
    found = cells.touched(addresses, before)
    step.left_out = max(0, len(found) - WRITES_MAX)
    return found[:WRITES_MAX]


def _held(cells: Cells, touched: Sequence[Touched]) -> dict[CellName, tuple[Touched, Held]]:
    return {name: (each, held) for each, name, held in cells.held(touched)}


def _tell(
    step: Step,
    before: dict[CellName, tuple[Touched, Held]],
    after: dict[CellName, tuple[Touched, Held]],
) -> None:
    """Which of the cells it wrote: of words that hold several, and of a command that raised, those that are others since."""
    for name in dict.fromkeys((*before, *after)):
        each, old = before.get(name, (None, Held(None)))
        again, new = after.get(name, (None, Held(None)))
        write = Write(name, old.value, new.value, new.place or old.place, old.place or new.place)
        is_shared = any(found is not None and found.is_shared for found in (each, again))
        if write.is_change or not (is_shared or step.raised is not None):
            step.writes.append(write)
    step.writes.sort(key=lambda write: (write.cell.container, write.cell.field or "", _ordered(write.cell.key)))


def _ordered(key: int | bool | bytes) -> tuple[int, bytes]:
    return (0, key) if isinstance(key, bytes) else (int(key), b"")


def _same(value: Any) -> Any:
    """Equal for what lies alike in memory: 0.0 is not -0.0, and a NaN is itself."""
    return np.float64(value).tobytes() if isinstance(value, float) else value
