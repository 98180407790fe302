"""The worker's side of a capture: keeping undo notes while the replica copies the state (`psmr.execution.capture`).

Whether notes are kept is decided at the opening of a slot, so a capture begins and ends for a worker between two slots. A worker
that has no room left for the largest command waits for the end of the capture, before the command and not in it: a capture delays
commands, and never changes what one does.
"""

from __future__ import annotations

from cdep.compiled import compiled
from psmr.execution.layout import (
    CAPTURES,
    FRAME_CONTROL,
    FRAME_NOTES,
    FRAME_NOTES_END,
    FRAME_SLOT,
    FRAME_UNDO,
)
from psmr.execution.waiting import wait_until
from psmr.state.frame import MARKER_BYTES, NOTE_BYTES, NOTING, UNDO_BASE, UNDO_CAPACITY, open_notes
from psmr.state.words import load_i64, store_i64


@compiled
def take_up(frame: int, captures: int) -> None:
    """Keep notes from now on, or no longer: as CAPTURES, when it was `captures`, said."""
    store_i64(frame + UNDO_BASE, load_i64(frame + (FRAME_NOTES if captures & 1 else FRAME_UNDO)))
    store_i64(frame + NOTING, captures)


@compiled
def begin_noted(frame: int, row: int) -> None:
    """Begin the command of `row` as one whose notes are kept, once there is room for as many as a command may have."""
    most = NOTE_BYTES * load_i64(frame + UNDO_CAPACITY) + MARKER_BYTES
    if load_i64(frame + UNDO_BASE) + most > load_i64(frame + FRAME_NOTES_END):
        after = load_i64(frame + NOTING) + 1
        # True: the capture is over. False: the workers are to end, and nobody needs notes any more.
        wait_until(frame, load_i64(frame + FRAME_CONTROL) + CAPTURES, after)
        take_up(frame, after)
    else:
        open_notes(frame, (load_i64(frame + FRAME_SLOT) << 32) + row + 1)
