"""How a service's commands and replies lie in memory: what both proxies, the log and the workers read.

Record: `op: u16` at 0; 8-byte fields, `Size(n)` and the two words of `Max(n)` from offset 8 on; narrow fields in bytes 2–7
while they fit, then at the end. All records of a batch have one stride: at least that of the widest command in it, at most
that of the service's widest.

Reply: `status: u16` at 0, `in_blob: u8` at 2 (1 when the value, or a raised command's text, lies in the reply's blob),
a value of up to 4 bytes at 4, any other at 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cdep import Command, Service, ValueType

VALUE, NONE, RAISED = 0, 1, 2
REPLY_STATUS, REPLY_IN_BLOB, REPLY_NARROW, REPLY_WIDE = 0, 2, 4, 8
RAISED_TEXT_LIMIT = 240
_HEAD_BYTES = 8
_FIRST_NARROW = 2


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter in a command's record."""

    name: str
    type: ValueType
    offset: int


@dataclass(frozen=True, slots=True)
class CommandLayout:
    """One command's record and reply."""

    command: Command
    fields: tuple[Field, ...]
    record_bytes: int
    reply_offset: int

    @property
    def stride(self) -> int:
        """The narrowest stride of a batch that has this command in it."""
        return _round_up(self.record_bytes, 8)

    def dtype(self, stride: int) -> np.dtype[Any]:
        """The record as a NumPy structured dtype of a batch's stride."""
        return np.dtype(
            {
                "names": ["op", *(field.name for field in self.fields)],
                "formats": ["<u2", *(field.type.dtype for field in self.fields)],
                "offsets": [0, *(field.offset for field in self.fields)],
                "itemsize": stride,
            }
        )

    def reply_dtype(self, stride: int) -> np.dtype[Any]:
        """The reply as a NumPy structured dtype: status, in_blob, value (absent for commands that return None)."""
        reply = self.command.reply
        value = [] if reply is None else [("value", reply.dtype, self.reply_offset)]
        text = [("text_offset", np.dtype("<u4"), REPLY_WIDE), ("text_length", np.dtype("<u4"), REPLY_WIDE + 4)]
        fields: list[tuple[str, Any, int]] = [("status", "<u2", 0), ("in_blob", "u1", 2), *value, *text]
        names, formats, offsets = zip(*fields, strict=True)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": stride})


@dataclass(frozen=True, slots=True)
class ServiceLayout:
    """All layouts of a service, the stride of its widest command, and that of every reply."""

    service: Service
    commands: tuple[CommandLayout, ...]
    stride: int
    reply_stride: int

    def command(self, name: str) -> CommandLayout:
        """The layout of one command by name."""
        return self.commands[self.service.command(name).op]


@lru_cache(maxsize=256)
def layout_of(service: Service) -> ServiceLayout:
    """The layouts of a service; the same service gives the same layouts in every process and version of NumPy."""
    commands = tuple(_command_layout(command) for command in service.commands)
    replies = (_reply_bytes(command) for command in service.commands)
    stride = max(command.stride for command in commands)
    return ServiceLayout(service, commands, stride, max(_round_up(size, 8) for size in replies))


def _command_layout(command: Command) -> CommandLayout:
    offsets: dict[str, int] = {}
    place = _HEAD_BYTES
    for parameter in command.parameters:
        if parameter.type.size_bytes >= 8 or parameter.type.kind == "fixed":
            offsets[parameter.name] = place
            place += _round_up(parameter.type.size_bytes, 8)
    narrow = _FIRST_NARROW
    for parameter in sorted(command.parameters, key=lambda p: -p.type.size_bytes):
        if parameter.name in offsets:
            continue
        size = parameter.type.size_bytes
        start = _round_up(narrow, size)
        if start + size <= _HEAD_BYTES:
            offsets[parameter.name], narrow = start, start + size
        else:
            place = _round_up(place, size)
            offsets[parameter.name], place = place, place + size
    fields = tuple(Field(p.name, p.type, offsets[p.name]) for p in command.parameters)
    wide = command.reply is not None and (command.reply.size_bytes > 4 or command.reply.kind == "fixed")
    return CommandLayout(command, fields, place, REPLY_WIDE if wide else REPLY_NARROW)


def _reply_bytes(command: Command) -> int:
    # Room for the text of a raised command always: (offset, length) at 8.
    return REPLY_WIDE + max(8, command.reply.size_bytes if command.reply else 0)


def _round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
