"""Reading zones and streams of updates.

A zone is a master file (RFC 1035, 5) of the plain kind in which the root zone is published: one record a line, every
field there, names in full; comments after `;` and empty lines are skipped. A stream of updates is blocks of

    @ time
    - record
    + record
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from apps.nameserver.packing import ADD, DATA_BYTES_MAX, REMOVE, Change, Record, Section
from apps.nameserver.record_data import InvalidRecordError, enough_to_remove, kind_number, owner_name, pack_data

ZONE_FILE = "root.zone"
UPDATES_FILE = "updates.txt.xz"


class MalformedFileError(ValueError):
    """An input file that cannot be read as what it should be; says file, line, what was expected and what was found."""

    def __init__(self, path: Path, line: int, expected: str, found: str) -> None:
        super().__init__(f"{path}, line {line}: expected {expected}, found {found}")
        self.path = path
        self.line = line


@dataclass(slots=True)
class Update:
    """One block of a stream: its time as written, and its changes in order.

    `cut_off` are the lines left out because they end after the ttl: a stream that was made by comparing downloads of a
    zone has such a line where a download broke off in the middle of it.
    """

    time: str
    line: int
    changes: list[tuple[bytes, Change]] = field(default_factory=list)
    cut_off: list[int] = field(default_factory=list)

    def sections(self) -> list[Section]:
        """The changes by name, each name's in order."""
        by_name: dict[bytes, list[Change]] = {}
        for name, change in self.changes:
            by_name.setdefault(name, []).append(change)
        return list(by_name.items())


@dataclass(frozen=True, slots=True)
class Input:
    """What `--input` named: a zone, and the stream of updates to it where there is one."""

    zone: Path
    updates: Path | None


def find_input(path: Path) -> Input:
    """The files meant by `path`: a zone file, or a folder with a `root.zone`; `updates.txt.xz` beside it if there."""
    zone = path / ZONE_FILE if path.is_dir() else path
    if not zone.is_file():
        raise FileNotFoundError(f"{zone}: expected a zone file (or a folder with {ZONE_FILE} in it), found none")
    updates = zone.with_name(UPDATES_FILE)
    return Input(zone, updates if updates.is_file() else None)


def read_zone(path: Path) -> Iterator[tuple[bytes, Record]]:
    """The records of a zone file in its order, each with its owner's name. Raises MalformedFileError."""
    with path.open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            text = line.partition(";")[0].strip()
            if text:
                yield _record(text, path, number)


def read_updates(path: Path) -> Iterator[Update]:
    """The blocks of a stream of updates (`.xz` or plain). Raises MalformedFileError."""
    opened = lzma.open if path.suffix == ".xz" else open
    update: Update | None = None
    with opened(path, "rt", encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            sign, _, text = line.rstrip().partition(" ")
            if sign == "@" and text:
                if update is not None:
                    yield update
                update = Update(text, number)
            elif sign in ("-", "+") and text and update is not None:
                _take(update, sign, text, path, number)
            else:
                expected = "'@ time'" if update is None else "'@ time', '- record' or '+ record'"
                raise MalformedFileError(path, number, expected, repr(line.rstrip()[:80]))
    if update is not None:
        yield update


def _take(update: Update, sign: str, text: str, path: Path, number: int) -> None:
    fields = text.split()
    if len(fields) == 2 and fields[1].isdecimal():
        update.cut_off.append(number)
        return
    name, record = _record(text, path, number)
    if sign == "-":
        change = Change(REMOVE, record.kind, 0, enough_to_remove(record.kind, record.data))
    else:
        change = Change(ADD, record.kind, record.ttl, record.data)
    update.changes.append((name, change))


def _record(text: str, path: Path, number: int) -> tuple[bytes, Record]:
    fields = text.split(None, 4)
    if len(fields) != 5 or not fields[1].isdecimal() or fields[2].upper() != "IN":
        raise MalformedFileError(path, number, "'name ttl IN type data'", repr(text[:80]))
    name, ttl, _, kind_text, data_text = fields
    try:
        kind = kind_number(kind_text)
        record = Record(kind, int(ttl), pack_data(kind, data_text))
        if record.ttl >= 1 << 31 or len(record.data) > DATA_BYTES_MAX:
            limits = f"a ttl below 2^31 and at most {DATA_BYTES_MAX} bytes of data"
            raise InvalidRecordError(limits, f"{ttl} and {len(record.data)} bytes")
        return owner_name(name), record
    except InvalidRecordError as error:
        raise MalformedFileError(path, number, error.expected, error.found) from error
