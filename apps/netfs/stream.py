"""Recorded operations: a text file, one operation a line, fields apart by spaces.

    create PATH        unlink PATH         read PATH OFFSET COUNT       stat PATH
    mkdir PATH         rmdir PATH          write PATH OFFSET COUNT      readdir PATH [AFTER]
    rename PATH PATH   truncate PATH SIZE  utimens PATH MICROSECONDS

Numbers are decimal. `#` begins a comment, empty lines are skipped. A line `begin`, at most one, ends what is to be there before
the run. What a `write` writes is made up: it begins with the number of its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from apps.netfs.layout import ARGUMENT_BYTES_MAX, IO_BYTES_MAX
from apps.netfs.nodes import split
from psmr.workload import Segment

_U32 = (1 << 32) - 1
_I64 = (1 << 63) - 1


class MalformedStreamError(ValueError):
    """A line that is no operation; says file, line, what was expected and what was found."""

    def __init__(self, path: Path, line: int, expected: str, found: str) -> None:
        super().__init__(f"{path}, line {line}: expected {expected}, found {found}")
        self.path = path
        self.line = line


class Operation(NamedTuple):
    """One call."""

    command: str
    arguments: tuple[Any, ...]

    def share(self) -> int:
        """A number that all operations of one directory have."""
        return crc32(split(self.arguments[0])[0])


@dataclass(slots=True)
class Stream:
    """What a file holds."""

    loaded: list[Operation] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)


PARAMETERS: dict[str, tuple[str, ...]] = {
    "create": ("path",),
    "mkdir": ("path",),
    "unlink": ("path",),
    "rmdir": ("path",),
    "rename": ("source", "target"),
    "read": ("path", "offset", "count"),
    "write": ("path", "offset", "count"),
    "truncate": ("path", "size"),
    "utimens": ("path", "modified_us"),
    "stat": ("path",),
    "readdir": ("path", "after"),
}
_MOST = {"offset": _U32, "size": _U32, "count": IO_BYTES_MAX, "modified_us": _I64}


def read_stream(path: Path) -> Stream:
    """The operations of a file. Raises FileNotFoundError and MalformedStreamError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file of operations, one a line, found no file")
    stream = Stream()
    has_begun = False
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        fields = line.partition(b"#")[0].split()
        if fields == [b"begin"]:
            if has_begun:
                raise MalformedStreamError(path, number, "one line 'begin'", "a second one")
            has_begun = True
            stream.loaded, stream.operations = stream.operations, []
        elif fields:
            stream.operations.append(_operation(fields, path, number))
    if not stream.operations:
        raise MalformedStreamError(path, number, "an operation", "the end of the file")
    return stream


def _operation(fields: list[bytes], path: Path, line: int) -> Operation:
    command = fields[0].decode("ascii", "replace")
    names = PARAMETERS.get(command)
    if names is None:
        raise MalformedStreamError(path, line, f"one of {', '.join((*PARAMETERS, 'begin'))}", repr(command))
    given = fields[1:]
    if command == "readdir" and len(given) == 1:
        given.append(b"")
    if len(given) != len(names):
        usage = " ".join((command, *(name.upper() for name in names)))
        raise MalformedStreamError(path, line, f"'{usage}'", repr(b" ".join(fields).decode("ascii", "replace")))
    values = [_value(name, text, path, line) for name, text in zip(names, given, strict=True)]
    if command == "write":
        values[2] = (b"line %d. " % line).ljust(values[2], b"=")[: values[2]]
    return Operation(command, tuple(values))


def _value(name: str, text: bytes, path: Path, line: int) -> Any:
    if name not in _MOST:
        if len(text) > ARGUMENT_BYTES_MAX:
            raise MalformedStreamError(
                path, line, f"a {name} of at most {ARGUMENT_BYTES_MAX} bytes", f"{len(text)} bytes"
            )
        return text
    if not text.isdigit() or int(text) > _MOST[name]:
        expected = f"a whole number from 0 to {_MOST[name]} as {name}"
        raise MalformedStreamError(path, line, expected, repr(text.decode("ascii", "replace")))
    return int(text)


_COLUMNS: dict[str, tuple[str, ...]] = {**PARAMETERS, "write": ("path", "offset", "data")}


def segments_of(operations: Sequence[Operation]) -> list[Segment]:
    """Operations as columns, in their order."""
    return list(_segments(operations))


def _segments(operations: Sequence[Operation]) -> Iterator[Segment]:
    for command, group in groupby(operations, lambda operation: operation.command):
        rows = [operation.arguments for operation in group]
        columns = zip(_COLUMNS[command], (list(column) for column in zip(*rows, strict=True)), strict=True)
        yield Segment(command, {name: _column(values) for name, values in columns}, len(rows))


def _column(values: list[Any]) -> Any:
    return values if isinstance(values[0], bytes) else np.array(values)
