"""What generated server proxies of services with early stages are made of, besides `psmr.execution.dispatch`."""

from __future__ import annotations

from typing import Any

from cdep import Command
from cdep.compiled import compiled, inlined, int64, overloaded
from cdep.staging import WAIT
from cdep.types import i64, value_type
from psmr.execution.dispatch import open_reply
from psmr.execution.events import MAIN_MARK, begin_events
from psmr.execution.folding import fold_of_stage
from psmr.execution.layout import FRAME_PART, FRAME_ROW, FRAME_STAGE
from psmr.execution.noting import begin_noted
from psmr.execution.stage_index import EXACT
from psmr.execution.stages import (
    EARLY,
    MAIN,
    begin_staged,
    carried_to,
    carry,
    end_early,
    has_ended,
    is_early,
    is_main,
    wait_for_all_before,
)
from psmr.execution.stages import seek_stage_at_once as seek_stage
from psmr.state.compiled_containers import require
from psmr.state.frame import EVENT_ROW, NOTING, begin_command, end_command, undo
from psmr.state.words import load_i64, store_i64

_WAIT = int(WAIT)
_CARRIED = value_type(i64)


@inlined
def open_early(frame: int, row: int) -> None:
    """Begin the early stage of a row: a command of its own, but for the reply."""
    begin_command(frame)
    store_i64(frame + FRAME_ROW, row)
    store_i64(frame + FRAME_PART, EARLY)
    if load_i64(frame + NOTING) & 1:
        begin_noted(frame, row)


@inlined
def close_early(frame: int, row: int, value: int) -> None:
    """End an early stage that has answered."""
    if value == _WAIT:
        undo(frame)
        wait_for_all_before(frame, row)
    else:
        folded = fold_of_stage(frame)
        end_command(frame)
        carry(frame, row, value, folded)


@inlined
def open_early_reply(frame: int, row: int, stride: int) -> int:
    """Begin a command that is an early stage and no more: the address of its reply record."""
    store_i64(frame + FRAME_PART, EARLY)
    return open_reply(frame, row, stride)


@inlined
def open_main_reply(frame: int, row: int, stride: int) -> int:
    """Begin a main stage: the address of the command's reply record."""
    store_i64(frame + FRAME_PART, MAIN)
    return open_reply(frame, row, stride)


@inlined
def begin_stage_events(frame: int, row: int) -> None:
    """`begin_events`, of either stage: the events of a main stage that is run apart from the early one are marked."""
    begin_events(frame, row)
    if load_i64(frame + FRAME_STAGE) == MAIN:
        store_i64(frame + EVENT_ROW, row << 32 | MAIN_MARK << 16)


@compiled
def begin_stage_events_slowly(frame: int, row: int) -> None:
    """`begin_stage_events`, for interpreted code."""
    begin_stage_events(frame, row)


def carried_writer(command: Command) -> Any:
    """The compiled function `(frame, row, value)` that ends an early stage; the value's type is checked at compilation."""

    def write(frame: int, row: int, value: Any) -> None:
        """Chosen by `_writer`."""

    def _writer(frame: Any, row: Any, value: Any) -> Any:
        require(value, _CARRIED, f"{command.early.method if command.early else ''}: what it returns")
        return _close_early

    overloaded(write)(_writer)
    return inlined(lambda frame, row, value: write(frame, row, value))


def _close_early(frame: Any, row: Any, value: Any) -> None:
    close_early(frame, row, int64(value))


@compiled
def open_early_slowly(frame: int, row: int) -> None:
    """`open_early`, for interpreted code."""
    open_early(frame, row)


@compiled
def close_early_slowly(frame: int, row: int, value: int) -> None:
    """`close_early`, for interpreted code."""
    close_early(frame, row, value)


@compiled
def carried_slowly(frame: int, row: int) -> int:
    """`carried_to`, for interpreted code."""
    return carried_to(frame, row)


@compiled
def end_early_slowly(frame: int, row: int) -> None:
    """`end_early`, for interpreted code."""
    end_early(frame, row)


@compiled
def has_ended_slowly(frame: int, row: int) -> bool:
    """`has_ended`, for interpreted code."""
    return has_ended(frame, row)


__all__ = [
    "EXACT",
    "begin_stage_events",
    "begin_stage_events_slowly",
    "begin_staged",
    "carried_slowly",
    "carried_to",
    "carried_writer",
    "close_early_slowly",
    "end_early_slowly",
    "has_ended",
    "has_ended_slowly",
    "is_early",
    "is_main",
    "open_early",
    "open_early_reply",
    "open_early_slowly",
    "open_main_reply",
    "seek_stage",
]
