"""Limits, error codes and how replies lie in bytes: the one place that says so, for handlers, callers, model and tests.

Little endian. A reply that carries bytes begins with a code, 0 or an error's; what follows a 0:

    read      | the bytes read, fewer than asked for at the file's end |
    stat      | kind u8: 0 file, 1 directory | size u32 | changes u32 | modified i64 |
    readdir   | length u8 | name | length u8 | name | … in byte order |

What the state holds under a path: in `names` a directory's list, as `readdir` has it; in `blocks`, under the path and the
block's number in one byte, the block's bytes up to the last that was written since the file was last cut short of it. What
is not there reads as zeros. `nodes` packs kind, size and changes into a word: `kind | size << 1 | changes << 32`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

PATH_BYTES_MAX = 128
NAME_BYTES_MAX = 63
ARGUMENT_BYTES_MAX = 255
"""Of a path as an argument: longer than any that exists, so that one that is too long gets its error."""
BLOCK_BYTES = 1024
BLOCKS_MAX = 64
FILE_BYTES_MAX = BLOCKS_MAX * BLOCK_BYTES
IO_BYTES_MAX = 4096
"""Read or written by one call."""
NODES_MAX = 4096
"""Files and directories, the root among them."""
DIRECTORY_BYTES_MAX = 8192
"""Of a directory's list: each name takes its length and one byte more."""
PAGE_BYTES_MAX = 1024
STAT_BYTES = 17
CHANGES = 1 << 31
"""Changes are counted up to this, then from 0 again."""

FILE, DIRECTORY = 0, 1


class Error(IntEnum):
    """What a call replies that could not be done; the numbers are those of Linux. The state is then as it was."""

    OK = 0
    ENOENT = 2
    EBUSY = 16
    EEXIST = 17
    EXDEV = 18
    ENOTDIR = 20
    EISDIR = 21
    EINVAL = 22
    EFBIG = 27
    ENOSPC = 28
    ENAMETOOLONG = 36
    ENOTEMPTY = 39


class Status(NamedTuple):
    """What `stat` tells. `size`: a file's bytes, a directory's entries. `modified_us`: what `utimens` last said, or 0."""

    kind: int
    size: int
    changes: int
    modified_us: int


class MalformedReplyError(ValueError):
    """Bytes that are no reply of the service."""


_STATUS = struct.Struct("<BIIq")


def failed(error: Error) -> bytes:
    """The reply of a call that could not be done."""
    return bytes([error])


def succeeded(content: bytes) -> bytes:
    """The reply of a call that gives these bytes."""
    return bytes([Error.OK]) + content


def unpack_reply(reply: bytes) -> bytes:
    """What follows the code; raises OSError for an error and MalformedReplyError."""
    if not reply or reply[0] not in set(Error):
        raise MalformedReplyError(f"expected a code of an error or 0 at the beginning, found {reply[:1]!r}")
    if reply[0]:
        raise OSError(reply[0], Error(reply[0]).name)
    return reply[1:]


def pack_status(status: Status) -> bytes:
    """What `stat` replies, without the code."""
    return _STATUS.pack(*status)


def unpack_status(content: bytes) -> Status:
    """What `pack_status` packed; raises MalformedReplyError."""
    if len(content) != STAT_BYTES:
        raise MalformedReplyError(f"expected {STAT_BYTES} bytes of a status, found {len(content)}")
    return Status(*_STATUS.unpack(content))


def pack_names(names: Iterable[bytes]) -> bytes:
    """A list of names."""
    return b"".join(bytes([len(name)]) + name for name in names)


def unpack_names(content: bytes) -> list[bytes]:
    """What `pack_names` packed; raises MalformedReplyError."""
    names = []
    place = 0
    while place < len(content):
        end = place + 1 + content[place]
        if end > len(content):
            raise MalformedReplyError("expected a name, found the end of the list in it")
        names.append(content[place + 1 : end])
        place = end
    return names
