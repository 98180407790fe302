"""One command forward at a time: the state is at every moment that behind the command shown last."""

from __future__ import annotations

from collections.abc import Callable

from psmr.core.batch import KIND_COMMANDS, MalformedBatch, split
from psmr.core.control import Kind, is_control, kind_of
from psmr.errors import ConfigurationError
from psmr.replaying.cells import Cells
from psmr.replaying.folder import ReplicaFolder
from psmr.replaying.player import Player
from psmr.replaying.position import Position
from psmr.replaying.steps import Step, taken_back, tell_writes


class Stepper:
    """A player that stops behind any command. An entry is executed whole, then taken back, and done again command by command."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.cells = Cells(player.engine.memory)
        self._steps: list[Step] = []
        self._done = 0

    @property
    def position(self) -> Position:
        """Behind the command that was executed last, or behind its entry, if that is its last one."""
        if self._done == len(self._steps):
            return Position(self.player.index)
        return self._steps[self._done - 1].position if self._done else Position(self.player.index - 1)

    @property
    def digest(self) -> int:
        """Of the state at the position."""
        return self.player.digest

    def go_to(self, position: Position, progress: Callable[[int], None] = lambda index: None) -> Step | None:
        """Forward to a position; the command that it names, if it names one. Raises ConfigurationError if there is none there."""
        if position.row is None:
            self._finish()
            self.player.go_to(position.index, progress)
            return None
        self.go_before(position, progress)
        step = self._forward()
        tell_writes(self.cells, step)
        return step

    def go_before(self, position: Position, progress: Callable[[int], None] = lambda index: None) -> None:
        """Forward to where the entry, or the command, that a position names is the next. Raises as `go_to`."""
        self._finish()
        self.player.go_to(position.index - 1, progress)
        if position.row is None:
            return
        self._enter()
        while self._done < len(self._steps) and self._steps[self._done].position != position:
            self._forward()
        if self._done == len(self._steps):
            raise no_such_row(self.player.folder, position, len(self._steps))

    def go_to_last_but(self, count: int, last: Position, progress: Callable[[int], None] = lambda index: None) -> None:
        """Forward to where about `count` commands are left up to `last`, not more if they are all of one entry."""
        index, behind = entry_before(self.player.folder, last, count)
        self.go_before(Position(index, last.row if index == last.index else None), progress)
        if index == last.index and last.row is not None:
            self._forward()
        else:
            self._enter()
            self._finish()
        for _ in range(min(count - behind, self._done)):
            self._done -= 1
            self._steps[self._done].undo()

    def next(self, last: Position) -> Step | None:
        """Execute one more command, and tell of it; None, with the state at `last`, if none is left up to there."""
        while self._done == len(self._steps):
            if self.player.index >= last.index:
                return None
            self._enter()
        is_there = last.row is not None and self._done > 0 and self._steps[self._done - 1].position == last
        if is_there:
            return None
        step = self._forward()
        tell_writes(self.cells, step)
        return step

    def _enter(self) -> None:
        """Execute the next entry, and take it back, so that its first command is the next."""
        self._steps, self._done = taken_back(self.player.engine.layout, self.player.step()), 0

    def _forward(self) -> Step:
        step = self._steps[self._done]
        step.redo()
        self._done += 1
        return step

    def _finish(self) -> None:
        while self._done < len(self._steps):
            self._forward()


def no_such_row(folder: ReplicaFolder, position: Position, count: int) -> ConfigurationError:
    """The error for a row that an entry, of which `count` commands were executed, does not have."""
    rows = f"commands 0 to {count - 1}" if count else "no command that was executed"
    return ConfigurationError(
        f"{folder.path}: expected a position in entry {position.index}, which has {rows}, found {position}: "
        + ("take one of those" if count else "replay to the entry")
    )


def entry_before(folder: ReplicaFolder, last: Position, count: int) -> tuple[int, int]:
    """The entry from whose first command on there are `count` commands up to a position, or as many as can be had.

    And how many there are behind that entry; those that nobody executed are counted, too.
    """
    index, behind = last.index, 0
    found = last.row + 1 if last.row is not None else _commands_in(folder, index) or 0
    while behind + found < count and index > folder.first + 1:
        commands = _commands_in(folder, index - 1)
        if commands is None:
            break
        behind, found, index = behind + found, commands, index - 1
    return index, behind


def _commands_in(folder: ReplicaFolder, index: int) -> int | None:
    """How many commands an entry has, those that nobody executes included; None where another version takes over."""
    records = folder.read(index, 1)
    if not records:
        return None
    if is_control(records[0].payload):
        return None if kind_of(records[0].payload) is Kind.VERSION else 0
    try:
        return sum(batch.count for batch in split(records[0].payload) if batch.kind == KIND_COMMANDS)
    except MalformedBatch:
        return 0
