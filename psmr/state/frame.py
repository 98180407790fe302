"""A worker's private frame: what one command may use besides the state, and how a failed command is undone.

    offset  word                      written
      0     undo_count                by every write of state; 0 at the start of a command
      8     undo_capacity             once
     16     undo_base                 once: (address, old word) pairs follow each other from there
     24     arena_next                by copies of byte values; arena_base at the start of a command
     32     arena_base                once
     40     arena_end                 once
     48     now_us                    at the start of a batch: the leader's stamp, never going back
     56     cleared                   1 once the command has emptied a map; 0 at its start
     64     scratch[8]                (address, length) of what each `Scratch` is building; address 0: not begun
    192     scratch_used              1 once the command has begun a `Scratch`; 0 at its start
    200     noting                    at the opening of a slot: odd while a capture needs the notes
    208     position                  at the start of a command while noting is odd: of the command, `slot << 32 | row + 1`
    216     notes_line                once: the address of the words that tell a capture how far the notes are
    224     event_next                by `emit`: where the next event goes
    232     event_start               at the start of a command that may emit: event_next
    240     event_end                 at the start of a command that may emit: how far its events may go; 0: it may not emit
    248     event_row                 at the start of a command that may emit: its row, << 32; what is added to lengths, << 16
    256     -                         (the scheduler's words follow: `psmr.execution.layout`)

A handler that raises must leave no change. Each write of state first notes the old content of the words it covers;
`undo` restores them in reverse. The lowest bit of a noted address is set where the word is *derived*: what it holds follows
from others, and how is a matter of this replica's past (the index of a map, which is made anew after a restart). Byte values
that a handler reads are copied into the arena, so that they stay what they were when the handler overwrites the entry they
came from, as they do in interpreted code. Events are written where they stay; those of a command that raises are dropped by
going back to event_start.

**While noting is odd** the notes of a command, one that was undone too, are not forgotten at its end but kept for whoever
copies the state meanwhile (`psmr.execution.capture`): `undo_base` moves on behind them. A *note* is (address, old word); in
front of the notes of one command stands a *marker*, (their number, the command's position). The notes line has two words,
both written by the worker alone:

    offset  word
      0     commands                  odd while the worker is inside a command; even again once its notes are kept
      8     kept                      undo_base: everything below it, less the room for one marker, is kept
"""

from __future__ import annotations

from cdep.compiled import compiled, inlined
from psmr.state.atomics import fence_release, store_release
from psmr.state.words import copy_bytes, load_i64, load_u64, store_i64, store_u64

UNDO_COUNT = 0
UNDO_CAPACITY = 8
UNDO_BASE = 16
ARENA_NEXT = 24
ARENA_BASE = 32
ARENA_END = 40
NOW_US = 48
CLEARED = 56
SCRATCH = 64
SCRATCHES = 8
SCRATCH_USED = 192
NOTING = 200
POSITION = 208
NOTES_LINE = 216
EVENT_NEXT = 224
EVENT_START = 232
EVENT_END = 240
EVENT_ROW = 248
FRAME_BYTES = 256

COMMANDS = 0
KEPT = 8
NOTE_BYTES = 16
DERIVED = 1
MARKER_BYTES = 16

UNDO_ENTRIES = 1 << 20
ARENA_BYTES = 32 << 20


class CommandTooLarge(Exception):
    """A command wrote more than 1,048,576 words of state, read more than 32 MiB of byte values or emitted more than 64 KiB."""


@compiled
def _forget_scratches(frame: int) -> None:
    store_i64(frame + SCRATCH_USED, 0)
    for number in range(SCRATCHES):
        store_i64(frame + SCRATCH + 16 * number, 0)


@inlined
def begin_command(frame: int) -> None:
    """Forget what the previous command noted, copied and built."""
    store_i64(frame + UNDO_COUNT, 0)
    store_i64(frame + CLEARED, 0)
    store_i64(frame + ARENA_NEXT, load_i64(frame + ARENA_BASE))
    if load_i64(frame + SCRATCH_USED) != 0:
        _forget_scratches(frame)


@inlined
def note_word(frame: int, address: int) -> None:
    """Note the aligned word at `address` before it is changed."""
    count = load_i64(frame + UNDO_COUNT)
    if count >= load_i64(frame + UNDO_CAPACITY):
        raise CommandTooLarge("a command may change at most 1,048,576 words of state; split it")
    note = load_i64(frame + UNDO_BASE) + 16 * count
    store_i64(note, address)
    store_u64(note + 8, load_u64(address))
    store_i64(frame + UNDO_COUNT, count + 1)


@inlined
def note_derived(frame: int, address: int) -> None:
    """`note_word`, of a word that is derived from others."""
    count = load_i64(frame + UNDO_COUNT)
    note_word(frame, address)
    store_i64(load_i64(frame + UNDO_BASE) + 16 * count, address | DERIVED)


@inlined
def note_bytes(frame: int, address: int, length: int) -> None:
    """Note every word that the `length` bytes at `address` touch."""
    word = address & ~7
    while word < address + length:
        note_word(frame, word)
        word += 8


@inlined
def write_word(frame: int, address: int, value: int) -> None:
    """Change the aligned word of state at `address`, so that it can be undone."""
    note_word(frame, address)
    store_i64(address, value)


@inlined
def write_derived(frame: int, address: int, value: int) -> None:
    """`write_word`, of a word that is derived from others."""
    note_derived(frame, address)
    store_i64(address, value)


@inlined
def write_bytes(frame: int, address: int, source: int, length: int) -> None:
    """Change `length` bytes of state at `address` to those at `source`, so that it can be undone."""
    note_bytes(frame, address, length)
    copy_bytes(address, source, length)


@compiled
def undo(frame: int) -> None:
    """Take back everything the current command wrote and emitted."""
    store_i64(frame + EVENT_NEXT, load_i64(frame + EVENT_START))
    note = load_i64(frame + UNDO_BASE) + 16 * (load_i64(frame + UNDO_COUNT) - 1)
    while note >= load_i64(frame + UNDO_BASE):
        store_u64(load_i64(note) & ~DERIVED, load_u64(note + 8))
        note -= 16
    if load_i64(frame + NOTING) & 1:
        keep_notes(frame)  # a capture may have copied what was undone
    store_i64(frame + UNDO_COUNT, 0)


@compiled
def open_notes(frame: int, position: int) -> None:
    """Begin a command whose notes are to be kept."""
    store_i64(frame + POSITION, position)
    line = load_i64(frame + NOTES_LINE)
    store_release(line + COMMANDS, load_i64(line + COMMANDS) + 1)
    fence_release()  # whoever sees any write of the command sees that it has begun


@compiled
def keep_notes(frame: int) -> None:
    """End a command whose notes are to be kept: put their marker before them, and say that they are there."""
    count = load_i64(frame + UNDO_COUNT)
    line = load_i64(frame + NOTES_LINE)
    if count != 0:
        base = load_i64(frame + UNDO_BASE)
        store_i64(base - MARKER_BYTES, count)
        store_i64(base - MARKER_BYTES + 8, load_i64(frame + POSITION))
        base += NOTE_BYTES * count + MARKER_BYTES
        store_i64(frame + UNDO_BASE, base)
        store_i64(frame + UNDO_COUNT, 0)
        store_release(line + KEPT, base)
    store_release(line + COMMANDS, load_i64(line + COMMANDS) + 1)


@inlined
def end_command(frame: int) -> None:
    """The command has succeeded. (One that has not ends with `undo`.)"""
    if load_i64(frame + NOTING) & 1:
        keep_notes(frame)


@inlined
def arena_take(frame: int, length: int) -> int:
    """The address of `length` fresh bytes that last until the command ends."""
    address = load_i64(frame + ARENA_NEXT)
    if address + length > load_i64(frame + ARENA_END):
        raise CommandTooLarge("a command may read at most 32 MiB of byte values; split it")
    store_i64(frame + ARENA_NEXT, (address + length + 7) & ~7)
    return address


@inlined
def arena_copy(frame: int, source: int, length: int) -> int:
    """The address of a copy of the `length` bytes at `source`, which lasts until the command ends."""
    address = arena_take(frame, length)
    copy_bytes(address, source, length)
    return address


@inlined
def take_event(frame: int, length: int) -> int:
    """The address of `length` bytes for an event of the current command. Raises where it may not emit, or no more."""
    place = load_i64(frame + EVENT_NEXT)
    if place + length > load_i64(frame + EVENT_END):
        if load_i64(frame + EVENT_END) == 0:
            raise ValueError("a read beside the log may not emit events; emit in commands that are ordered")
        raise CommandTooLarge("a command may emit at most 64 KiB of events; split it")
    store_i64(frame + EVENT_NEXT, place + length)
    return place


@compiled
def take_event_slowly(frame: int, length: int) -> int:
    """`take_event`, for interpreted code."""
    return take_event(frame, length)
