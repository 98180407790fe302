"""Handlers run by the Python interpreter on the same memory: to debug them, and to say what a failed command raised."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from cdep import StateMachine
from cdep.types import ValueType
from proxies.layout import NONE, RAISED, RAISED_TEXT_LIMIT, CommandLayout, ServiceLayout
from psmr.execution import layout as at
from psmr.execution.dispatch import end_command_slowly, open_reply_slowly
from psmr.execution.events import begin_events_slowly
from psmr.execution.folding import keep_digest_slowly
from psmr.execution.memory import Memory
from psmr.execution.schedule import begin, seek
from psmr.state.access import FORMATS, encoder
from psmr.state.frame import NOW_US, undo
from psmr.state.scratch import Scratch

_HEAD = struct.Struct("<HBx")
_SLICE = struct.Struct("<II")


class InterpretedMachine:
    """One worker's service instance; `execute(row)` does what the compiled `_execute` does, byte for byte."""

    begin = staticmethod(begin)
    seek = staticmethod(seek)
    """How a worker that interprets goes from slot to slot and from row to row."""

    def __init__(self, owner: type[StateMachine], layout: ServiceLayout, memory: Memory, worker: int) -> None:
        self._memory = memory
        self._view = memory.region.memory
        self._origin = memory.region.address
        self._frame = memory.frames[worker]
        self.machine = object.__new__(owner)
        access = memory.access(worker)
        for (name, container), base in zip(memory.containers.items(), memory.bases, strict=True):
            setattr(self.machine, name, container.bind(access, base))
        self._scratches = [field for field in vars(self.machine).values() if isinstance(field, Scratch)]
        self._commands = [
            (getattr(self.machine, c.command.name), _decoder(c), _ReplyEncoder(c)) for c in layout.commands
        ]

    def execute(self, row: int) -> None:
        """Execute the command of a row of the open slot: decode, call, reply; undo and reply the error if it raises.

        A command whose compiled form has raised, and is undone, is executed here once more: for the text, and because the two
        forms do not raise at the same (0.0 / 0.0 raises in compiled code, and is a NaN here). This form decides, on every replica.
        """
        record = self.record_of(row)
        handler, decode, encode = self._commands[self.op_of(record)]
        self.reply_to(row, lambda: encode(handler(*decode(self._view, record, self.blob))))

    def again(self, row: int) -> None:
        """Execute once more what has raised in its compiled form, and is undone."""
        self.execute(row)

    def record_of(self, row: int) -> int:
        """Where in the memory a row's record begins."""
        word = self._memory.get
        return word(self._frame + at.FRAME_RECORDS) + row * word(self._frame + at.FRAME_STRIDE) - self._origin

    def op_of(self, record: int) -> int:
        """The number of a record's command."""
        return int.from_bytes(self._view[record : record + 2], "little")

    @property
    def blob(self) -> int:
        """Where in the memory the batch's blob begins."""
        return self._memory.get(self._frame + at.FRAME_BLOB) - self._origin

    def prepare(self, row: int) -> None:
        """Have `self.machine` as a row's command finds it at its start."""
        if self._memory.has_events:
            self.begin_events(row)
        self.machine.now_us = self._memory.get(self._frame + NOW_US)
        for scratch in self._scratches:
            scratch.forget()

    def begin_events(self, row: int) -> None:
        """Have the row's command emit from here on."""
        begin_events_slowly(self._frame, row)

    def reply_to(self, row: int, call: Callable[[], tuple[bytes, bytes | None]]) -> None:
        """Begin a command, call what encodes its reply, end it; undo it, and reply the error, if that raises."""
        reply = open_reply_slowly(self._frame, row)
        self.prepare(row)
        is_undone = False
        try:
            value, content = call()
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is part of the history, alike on every replica
            undo(self._frame)
            is_undone = True
            value, content = _raised(error)
        self._write_reply(reply - self._origin, value, content)
        keep_digest_slowly(self._frame, reply)
        if not is_undone:
            end_command_slowly(self._frame)
        self._memory.set(self._frame + at.FRAME_REPLY_COUNT, self._memory.get(self._frame + at.FRAME_REPLY_COUNT) + 1)

    def undo_and_reply(self, row: int, error: Exception) -> None:
        """Take back what the command under way has done, and reply the error it raised."""
        undo(self._frame)

        def raising() -> tuple[bytes, bytes | None]:
            raise error

        self.reply_to(row, raising)

    def _write_reply(self, place: int, value: bytes, content: bytes | None) -> None:
        if content is not None:
            used = self._memory.get(self._frame + at.FRAME_REPLY_BLOB_USED)
            start = self._memory.get(self._frame + at.FRAME_REPLY_BLOB) + used - self._origin
            self._view[start : start + len(content)] = content
            self._memory.set(self._frame + at.FRAME_REPLY_BLOB_USED, used + len(content))
            value += _SLICE.pack(used, len(content))
        self._view[place : place + len(value)] = value


def _raised(error: Exception) -> tuple[bytes, bytes]:
    text = f"{type(error).__name__}: {error}".encode()[:RAISED_TEXT_LIMIT]
    return _HEAD.pack(RAISED, 1) + bytes(4), text.decode("utf-8", "ignore").encode()


def _decoder(command: CommandLayout) -> Callable[[memoryview, int, int], list[Any]]:
    """A function from (memory, record, blob) to the arguments as the handler sees them."""
    readers = [_field_reader(field.type, field.offset) for field in command.fields]
    return lambda view, record, blob: [read(view, record, blob) for read in readers]


def _field_reader(value: ValueType, offset: int) -> Callable[[memoryview, int, int], Any]:
    if value.kind == "bytes":

        def read_variable(view: memoryview, record: int, blob: int) -> bytes:
            start, length = _SLICE.unpack_from(view, record + offset)
            return bytes(view[blob + start : blob + start + length])

        return read_variable
    if value.kind == "fixed":
        size = value.limit
        return lambda view, record, blob: bytes(view[record + offset : record + offset + size])
    if value.kind == "bool":
        return lambda view, record, blob: view[record + offset] != 0
    unpack = struct.Struct(FORMATS[value.name]).unpack_from
    seen: Any = np.float64 if value.kind == "float" else np.uint64 if value.name == "u64" else np.int64
    return lambda view, record, blob: seen(unpack(view, record + offset)[0])


class _ReplyEncoder:
    """A handler's value as (reply bytes up to the value's end, content for the blob or None)."""

    def __init__(self, command: CommandLayout) -> None:
        self._command = command.command
        self._padding = bytes(command.reply_offset - 4)
        reply = command.command.reply
        self._encode = encoder(reply) if reply is not None else None

    def __call__(self, value: Any) -> tuple[bytes, bytes | None]:
        reply = self._command.reply
        if value is None or reply is None or self._encode is None:
            if value is not None or (reply is not None and not self._command.optional):
                raise TypeError(f"{self._command.name}: expected {reply.name if reply else 'None'}, found {value!r}")
            return _HEAD.pack(NONE if reply is not None else 0, 0), None
        content = self._encode(value)
        if reply.kind == "bytes":
            return _HEAD.pack(0, 1) + bytes(4), content
        return _HEAD.pack(0, 0) + self._padding + content, None
