"""Two players side by side, entry by entry, up to the first difference: which command, what it should be and what it is.

Both begin with one state, so they are equal as long as every command answers, emits and writes the same: of each entry replies and
events are compared, and the words that either side has written. Where a replica took a snapshot on the way, or has kept events,
these say what it really did, whatever replay makes of its log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import Literal

from psmr.execution.engine import Engine
from psmr.replaying.comparing import CellDifference, TwoStates
from psmr.replaying.kept_events import KeptEvents
from psmr.replaying.player import Played, Player
from psmr.replaying.position import Position
from psmr.replaying.steps import Step, commands_of, events_of, taken_back, tell_writes
from psmr.replica.snapshot_content import digest_of, restore
from psmr.storage import SnapshotFile

CELLS_MAX = 20

Where = Literal["start", "log", "command", "snapshot", "events"]


@dataclass(slots=True)
class Difference:
    """The first difference. `expected` is what the first side has, `found` the second.

    `where`: the states that both begin with; the entries of the logs; a command; a snapshot that was taken behind the entry, or
    events that were kept of a command, in the folder `of`, and replay (then `expected` is replay). `what` are lines for people.
    """

    where: Where
    position: Position
    what: list[str]
    cells: list[CellDifference] = field(default_factory=list)
    expected: Step | None = None
    found: Step | None = None
    of: str = ""


class Lockstep:
    """Two players at one index; `run` plays both up to another."""

    def __init__(self, first: Player, second: Player) -> None:
        self.players = (first, second)
        self.states = TwoStates(first.engine.memory, second.engine.memory)
        self._snapshots = sorted(_snapshots_of(first, 0) + _snapshots_of(second, 1), key=lambda each: each[0])
        self._kept = [KeptEvents(player.folder, player.engine.service.fingerprint) for player in self.players]
        self._is_same_service = first.engine.service.fingerprint == second.engine.service.fingerprint

    def run(self, last: int, progress: Callable[[int], None] = lambda index: None) -> Difference | None:
        """Both on to `last`, or to the first difference."""
        first = self.players[0]
        if not self.states.are_equal():
            cells = list(islice(self.states.differences(), CELLS_MAX))
            return Difference("start", Position(first.index), ["both begin with different states"], cells)
        found = self._at_snapshots()
        while found is None and first.index < last:
            found = self._step() or self._at_snapshots()
            progress(first.index)
        return found

    def _step(self) -> Difference | None:
        first, second = self.players
        one, other = first.step(), second.step()
        position = Position(one.entry.index)
        if self._is_same_service and (one.entry.time_us, one.entry.payload) != (
            other.entry.time_us,
            other.entry.payload,
        ):
            return Difference("log", position, ["the logs hold different entries there"])
        if self._answers_alike(one, other) and self.states.are_equal_where_written(one.noted, other.noted):
            return self._as_kept(0, one) or self._as_kept(1, other)
        return self._difference(one, other)

    def _answers_alike(self, one: Played, other: Played) -> bool:
        if self._is_same_service:
            said = [[(e.session, e.sequence, e.reply, e.events) for e in each.executed] for each in (one, other)]
            return said[0] == said[1]
        steps = [
            commands_of(player.engine.layout, each) for player, each in zip(self.players, (one, other), strict=True)
        ]
        return [_answer(step) for step in steps[0]] == [_answer(step) for step in steps[1]]

    def _difference(self, one: Played, other: Played) -> Difference:
        """The first command of the entry that differs; both states are then those right behind it."""
        steps = [
            taken_back(player.engine.layout, each) for player, each in zip(self.players, (one, other), strict=True)
        ]
        for expected, found in zip_longest(*steps):
            for cells, step in zip(self.states.cells, (expected, found), strict=True):
                if step is not None:
                    step.redo()
                    tell_writes(cells, step)
            what, differing = compared(expected, found, set(self.states.common))
            if what:
                return Difference("command", (expected or found).position, what, differing, expected, found)
        what = [
            "its commands wrote the same, but it lies otherwise: as after commands that were executed in another order"
        ]
        return Difference(
            "command", Position(one.entry.index), what, list(islice(self.states.differences(), CELLS_MAX))
        )

    def _as_kept(self, side: int, played: Played) -> Difference | None:
        """Whether replay emits what the replica has kept; at a difference the state is that right behind the command."""
        kept, player = self._kept[side].of(played.entry.index), self.players[side]
        if kept is None or kept == {
            (each.session, each.sequence): each.events for each in played.executed if each.events
        }:
            return None
        layout = player.engine.layout
        for step in taken_back(layout, played):
            step.redo()
            tell_writes(self.states.cells[side], step)
            events = events_of(layout.service, kept.get((step.session, step.sequence), b""), step.batch_row)
            if events != step.events:
                what = ["replay emits others than the replica has kept: what a handler went by is not in the log"]
                found = replace(step, events=events)
                return Difference("events", step.position, what, [], step, found, str(player.folder.path))
        return None

    def _at_snapshots(self) -> Difference | None:
        """Whether a snapshot that was taken here holds what replay gives."""
        while self._snapshots and self._snapshots[0][0] <= self.players[0].index:
            index, side, snapshot = self._snapshots.pop(0)
            player = self.players[side]
            if index == player.index and digest_of(snapshot) != player.digest:
                return _differs_from(player, snapshot)
        return None


def _snapshots_of(player: Player, side: int) -> list[tuple[int, int, SnapshotFile]]:
    """Those taken by the service that plays, behind where it began: the first holds what it began with."""
    found = [each.snapshot for each in player.folder.origins if each.snapshot is not None]
    return [
        (each.head.index, side, each)
        for each in found
        if each.head.fingerprint == player.engine.service.fingerprint and each.head.index >= player.index
    ]


def _differs_from(player: Player, snapshot: SnapshotFile) -> Difference:
    engine = Engine(player.owner, 1, compiled=False)
    try:
        snapshot.verify()
        restore(snapshot, engine)
        states = TwoStates(player.engine.memory, engine.memory)
        cells = list(islice(states.differences(), CELLS_MAX))
    finally:
        engine.close()
    what = [
        "replay of the log gives another state than the replica had when it took its snapshot there: what a handler went by is "
        "not in the log, or memory failed"
    ]
    return Difference("snapshot", Position(snapshot.head.index), what, cells, of=str(player.folder.path))


def compared(expected: Step | None, found: Step | None, common: set[str]) -> tuple[list[str], list[CellDifference]]:
    """What is not alike in two executions of one command, in words, and cell by cell."""
    if expected is None or found is None:
        there = expected or found
        assert there is not None
        return [f"{there.command} was executed by one of the two alone"], []
    what: list[str] = []
    if _answer(expected)[:2] != _answer(found)[:2]:
        what.append("reply")
    if expected.events != found.events:
        what.append("events")
    cells = list(_cells(expected, found, common))
    if cells:
        what.append("writes")
    return what, cells


def _answer(step: Step) -> tuple[object, ...]:
    # A NaN is not equal to itself; its text is.
    return repr(step.reply), step.raised, repr(step.events)


def _cells(expected: Step, found: Step, common: set[str]) -> Iterator[CellDifference]:
    """Cells whose changes are not alike. A write of what was there already is none."""
    sides = [
        {write.cell: write for write in step.writes if write.is_change and write.cell.container in common}
        for step in (expected, found)
    ]
    for cell in dict.fromkeys((*sides[0], *sides[1])):
        one, other = sides[0].get(cell), sides[1].get(cell)
        known = one or other
        assert known is not None
        values = [each.new if each is not None else known.old for each in (one, other)]
        places = [each.place if each is not None else known.old_place for each in (one, other)]
        if repr(values[0]) != repr(values[1]) or places[0] != places[1]:
            yield CellDifference(cell, values[0], values[1], (places[0], places[1]))
