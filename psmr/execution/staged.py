"""Handlers of a service with early stages, run by the Python interpreter: `InterpretedMachine`, stage by stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from cdep import StateMachine
from cdep.staging import WAIT
from cdep.types import i64, value_type
from proxies.layout import CommandLayout, ServiceLayout
from psmr.execution import layout as at
from psmr.execution.interpreted import InterpretedMachine
from psmr.execution.memory import Memory
from psmr.execution.stage_index import index_stages
from psmr.execution.staged_dispatch import (
    begin_stage_events_slowly,
    carried_slowly,
    close_early_slowly,
    end_early_slowly,
    has_ended_slowly,
    open_early_slowly,
)
from psmr.execution.stages import EARLY, MAIN, WHOLE, begin_staged, seek_stage
from psmr.state.access import encoder

_ENCODE = encoder(value_type(i64))


class StagedMachine(InterpretedMachine):
    """`execute(row)` runs of a row what FRAME_STAGE says, as the compiled `_execute` does, byte for byte."""

    begin = staticmethod(begin_staged)
    seek = staticmethod(seek_stage)

    def __init__(self, owner: type[StateMachine], layout: ServiceLayout, memory: Memory, worker: int) -> None:
        super().__init__(owner, layout, memory, worker)
        self._layouts = layout.commands
        self._places = [_places(command) for command in layout.commands]

    def execute(self, row: int) -> None:
        stage = self._memory.get(self._frame + at.FRAME_STAGE)
        if stage != MAIN and not self._early(row):
            return
        if stage != EARLY:
            self._main(row)

    def again(self, row: int) -> None:
        # What the row's early stage has answered, if it has, is kept: only its main stage has raised.
        if self._memory.get(self._frame + at.FRAME_PART) == MAIN:
            self._main(row)
        else:
            self.execute(row)

    def begin_events(self, row: int) -> None:
        begin_stage_events_slowly(self._frame, row)

    def _early(self, row: int) -> bool:
        """Run the early stage, or the command that is one; whether a main stage may follow."""
        record = self.record_of(row)
        op = self.op_of(record)
        command = self._layouts[op].command
        if command.stage == "early":
            super().execute(row)
        elif command.early is not None:
            _, decode, _ = self._commands[op]
            arguments = decode(self._view, record, self.blob)
            return self._reserve(row, command.early.method, [arguments[place] for place in self._places[op]])
        return True

    def _reserve(self, row: int, method: str, arguments: list[Any]) -> bool:
        open_early_slowly(self._frame, row)
        self.prepare(row)
        try:
            value = int.from_bytes(_ENCODE(getattr(self.machine, method)(*arguments)), "little", signed=True)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is part of the history, alike on every replica
            self.undo_and_reply(row, error)
            end_early_slowly(self._frame, row)
            return False
        close_early_slowly(self._frame, row, value)
        return True

    def _main(self, row: int) -> None:
        record = self.record_of(row)
        op = self.op_of(record)
        command = self._layouts[op].command
        if command.stage == "early" or has_ended_slowly(self._frame, row):
            return
        if command.early is None:
            super().execute(row)
            return
        handler, decode, encode = self._commands[op]
        carried = np.int64(carried_slowly(self._frame, row))
        self.reply_to(row, lambda: encode(handler(*decode(self._view, record, self.blob), carried)))


def _places(command: CommandLayout) -> list[int]:
    """Which of the command's arguments its early stage takes, in its order."""
    names = [field.name for field in command.fields]
    return [names.index(name) for name in command.command.early.parameters] if command.command.early else []


def warm_up(memory: Memory) -> None:
    """Have what interpreted code and the replica call in memory before the workers are forked."""
    frame = memory.frames[0]
    index_stages(memory.ring, 0, memory.workers)
    memory.set(frame + at.FRAME_STAGE, WHOLE)
    open_early_slowly(frame, 0)
    if memory.has_events:
        begin_stage_events_slowly(frame, 0)
    close_early_slowly(frame, 0, int(WAIT))
    carried_slowly(frame, 0)
    has_ended_slowly(frame, 0)
    end_early_slowly(frame, 0)
