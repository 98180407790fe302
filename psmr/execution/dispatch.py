"""What generated server proxies are made of: decoding arguments, calling handlers, writing replies, one import for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from cdep import Command
from cdep.compiled import compiled, inlined, int64, merged, overloaded, types
from cdep.hashing import group_of_bytes, group_of_u64
from proxies.layout import NONE, REPLY_IN_BLOB, REPLY_NARROW, REPLY_WIDE
from psmr.execution.events import begin_events
from psmr.execution.folding import (
    keep_digest,
    keep_whole_digest,
    reply_bytes,
    reply_fixed,
    reply_narrow,
    reply_none,
    reply_nothing,
    reply_wide,
)
from psmr.execution.layout import (
    FRAME_BLOB,
    FRAME_COUNT,
    FRAME_OWNERS,
    FRAME_RECORDS,
    FRAME_REPLY_BLOB,
    FRAME_REPLY_BLOB_USED,
    FRAME_REPLY_COUNT,
    FRAME_REPLY_RECORDS,
    FRAME_REPLY_ROWS,
    FRAME_REPLY_STRIDE,
    FRAME_ROW,
    FRAME_STRIDE,
    FRAME_WORKER,
)
from psmr.execution.noting import begin_noted
from psmr.execution.schedule import begin, finish
from psmr.execution.schedule import seek_at_once as seek
from psmr.state import words
from psmr.state.byte_values import address_of, byte_value_at, length_of
from psmr.state.compiled_containers import require
from psmr.state.compiled_machine import constructor
from psmr.state.frame import NOTING, begin_command, end_command
from psmr.state.touching import is_large, touch_entry, touch_slot
from psmr.state.words import (
    clear_bytes,
    copy_bytes,
    load_f64,
    load_i8,
    load_i16,
    load_i32,
    load_i64,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    store_i64,
    store_u8,
    store_u16,
    store_u32,
)

ALL_GROUPS = 64
"""The place, in a replica's table of owners, of the commands that go to every group."""


def handler(method: Callable[..., Any]) -> Any:
    """A handler, or what calls one, compiled from its own source and merged into the worker's loop: a call would cost 5 ns.

    Only compiled code may call it: what Python or C would call is left out, for it takes long to compile.
    """
    return merged(method)


@intrinsic
def present(typing_context: Any, value: Any) -> Any:
    """The content of an optional value that is known not to be None."""
    if not isinstance(value, types.Optional):
        return value(value), lambda context, builder, signature, arguments: arguments[0]

    def content(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_helper(builder, value, arguments[0]).data

    return value.type(value), content


def reply_writer(command: Command, offset: int) -> Any:
    """The compiled function `(frame, reply, value)` that writes a handler's reply, and returns its part of the command's digest.

    The value's type is checked at compilation.
    """
    reply = command.reply
    if reply is None:
        return _no_value(command)

    def write(frame: int, record: int, value: Any) -> Any:
        """Chosen by `_writer` from the type of the value."""

    def _writer(frame: Any, record: Any, value: Any) -> Any:
        found = value.type if isinstance(value, types.Optional) else value
        if isinstance(value, types.NoneType):
            return _write_none if command.optional else require(found, reply, f"{command.name}: reply")
        if isinstance(value, types.Optional) and not command.optional:
            require(value, reply, f"{command.name}: reply")
        require(found, reply, f"{command.name}: reply")
        content = _byte_writer(reply.limit, reply.kind) if reply.python == "bytes" else _number_writer(reply, offset)
        return _optional_writer(content) if isinstance(value, types.Optional) else content

    overloaded(write)(_writer)
    return inlined(lambda frame, record, value: write(frame, record, value))


def _no_value(command: Command) -> Any:
    def write(frame: int, record: int, value: Any) -> Any:
        """Chosen by `_writer`."""

    def _writer(frame: Any, record: Any, value: Any) -> Any:
        if not isinstance(value, types.NoneType):
            raise numba.core.errors.TypingError(f"{command.name}: reply: expected None, found {value}")
        return _write_nothing

    overloaded(write)(_writer)
    return inlined(lambda frame, record, value: write(frame, record, value))


def _write_nothing(frame: Any, record: Any, value: Any) -> Any:
    """A command without a reply: status 0 is there already."""
    return reply_nothing()


def _write_none(frame: Any, record: Any, value: Any) -> Any:
    words.store_u16(record, NONE)
    return reply_none()


def _optional_writer(content: Any) -> Any:
    content = inlined(content)

    def write(frame: Any, record: Any, value: Any) -> Any:
        if value is None:
            store_u16(record, NONE)
            return reply_none()
        return content(frame, record, present(value))

    return write


def _number_writer(reply: Any, offset: int) -> Any:
    store = words.store_number if reply.kind == "float" else getattr(words, f"store_{reply.name}", store_u8)
    # As large as what was stored: what else is read waits for the store.
    load = getattr(words, f"load_u{8 * reply.size_bytes}")
    folded = reply_narrow if offset == REPLY_NARROW else reply_wide
    boolean = reply.kind == "bool"

    def write_number(frame: Any, record: Any, value: Any) -> Any:
        store(record + offset, value)
        return folded(np.uint64(load(record + offset)))

    def write_boolean(frame: Any, record: Any, value: Any) -> Any:
        store_u8(record + offset, 1 if value else 0)
        return folded(np.uint64(1 if value else 0))

    return write_boolean if boolean else write_number


def _byte_writer(limit: int, kind: str) -> Any:
    if kind == "fixed":
        message = f"the reply has not the {limit} bytes declared for it"

        def write_fixed(frame: Any, record: Any, value: Any) -> Any:
            if length_of(value) != limit:
                raise ValueError(message)
            copy_bytes(record + REPLY_WIDE, address_of(value), limit)
            return reply_fixed(frame, record)

        return write_fixed
    message = f"the reply is longer than the {limit} bytes declared for it"

    def write_variable(frame: Any, record: Any, value: Any) -> Any:
        length = length_of(value)
        if length > limit:
            raise ValueError(message)
        used = load_i64(frame + FRAME_REPLY_BLOB_USED)
        copy_bytes(load_i64(frame + FRAME_REPLY_BLOB) + used, address_of(value), length)
        store_u8(record + REPLY_IN_BLOB, 1)
        store_u32(record + REPLY_WIDE, used)
        store_u32(record + REPLY_WIDE + 4, length)
        store_i64(frame + FRAME_REPLY_BLOB_USED, used + length)
        return reply_bytes(frame, address_of(value), length)

    return write_variable


@inlined
def open_reply(frame: int, row: int, stride: int) -> int:
    """Begin the command of `row`: the address of its reply record, cleared."""
    begin_command(frame)
    store_i64(frame + FRAME_ROW, row)
    if load_i64(frame + NOTING) & 1:
        begin_noted(frame, row)
    count = load_i64(frame + FRAME_REPLY_COUNT)
    rows = load_i64(frame + FRAME_REPLY_ROWS)
    if rows != 0:
        store_u32(rows + 4 * count, row)
    record = load_i64(frame + FRAME_REPLY_RECORDS) + count * stride
    clear_bytes(record, stride)
    return record


@compiled
def open_reply_slowly(frame: int, row: int) -> int:
    """`open_reply`, for interpreted code."""
    return open_reply(frame, row, load_i64(frame + FRAME_REPLY_STRIDE))


@inlined
def close_reply(frame: int, folded: np.uint64) -> None:
    """End a command that has succeeded: keep its reply record, of which `folded` is what counts in its digest.

    The command has no early stage and emits nothing; `close_whole_reply` is for those that may.
    """
    keep_digest(frame, folded)
    end_command(frame)
    store_i64(frame + FRAME_REPLY_COUNT, load_i64(frame + FRAME_REPLY_COUNT) + 1)


@inlined
def close_whole_reply(frame: int, folded: np.uint64) -> None:
    """As `close_reply`, of any command."""
    keep_whole_digest(frame, folded)
    end_command(frame)
    store_i64(frame + FRAME_REPLY_COUNT, load_i64(frame + FRAME_REPLY_COUNT) + 1)


@compiled
def end_command_slowly(frame: int) -> None:
    """`end_command`, for interpreted code."""
    end_command(frame)


@inlined
def blob_argument(record: int, offset: int, blob: int) -> Any:
    """A `Max(n)` argument."""
    return byte_value_at(blob + int64(load_u32(record + offset)), int64(load_u32(record + offset + 4)))


@inlined
def blob_fits(record: int, offset: int, blob_bytes: int, limit: int) -> bool:
    """Whether a `Max(n)` argument lies inside the blob and keeps to its limit."""
    start = int64(load_u32(record + offset))
    length = int64(load_u32(record + offset + 4))
    return length <= limit and start + length <= blob_bytes


@inlined
def group_of_blob(record: int, offset: int, blob: int) -> int:
    """The group of a `Max(n)` key."""
    return int64(group_of_bytes(blob + int64(load_u32(record + offset)), int64(load_u32(record + offset + 4))))


@inlined
def group_of_fixed(record: int, offset: int, length: int) -> int:
    """The group of a `Size(n)` key."""
    return int64(group_of_bytes(record + offset, length))


@inlined
def group_of_integer(key: Any) -> int:
    """The group of an integer key."""
    return int64(group_of_u64(np.uint64(key)))


@inlined
def owner_of(table: int, group: int) -> int:
    """The workers (a bit each) that own a group, in a replica's table."""
    return int64(load_u16(table + 2 * group))


__all__ = [
    "ALL_GROUPS",
    "FRAME_BLOB",
    "FRAME_COUNT",
    "FRAME_OWNERS",
    "FRAME_RECORDS",
    "FRAME_ROW",
    "FRAME_STRIDE",
    "FRAME_WORKER",
    "begin",
    "begin_events",
    "blob_argument",
    "blob_fits",
    "byte_value_at",
    "close_reply",
    "close_whole_reply",
    "compiled",
    "constructor",
    "finish",
    "group_of_blob",
    "group_of_fixed",
    "group_of_integer",
    "handler",
    "inlined",
    "is_large",
    "load_f64",
    "load_i8",
    "load_i16",
    "load_i32",
    "load_i64",
    "load_u8",
    "load_u16",
    "load_u32",
    "load_u64",
    "np",
    "open_reply",
    "owner_of",
    "reply_writer",
    "seek",
    "store_i64",
    "store_u16",
    "store_u32",
    "touch_entry",
    "touch_slot",
]
