"""How records and changes are packed into bytes: the one place that says so, for handlers, clients, model and tests.

Little endian. A *record set* is what one name holds, and what `lookup` replies, in the order of insertion:

    record    | kind u16 | ttl u32 | length u16 | data: `length` bytes |
    records   | record | record | …

The *changes* of one `update_zone` come in sections, one a name, each name at most once:

    change    | action u8: 0 remove, 1 add | kind u16 | ttl u32 | length u16 | data: `length` bytes |
    section   | length u8 | name: `length` bytes | count u16 | change | change | … |
    changes   | section | section | …

The `ttl` of a removal is 0. Its data may be cut short, as long as exactly one record of that kind at that name begins
with them: a signature need not be sent again to be removed. A *page* of names, what `list_type` replies:

    page      | length u8 | name | length u8 | name | …
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

REMOVE, ADD = 0, 1
NAME_BYTES_MAX = 255
DATA_BYTES_MAX = 1024
RECORDS_BYTES_MAX = 4096
PAGE_BYTES_MAX = 1024
CHANGES_BYTES_MAX = 1 << 20
EVERY_KIND = 255
"""As a `kind` to look up: all records of the name (RFC 1035, 3.2.3)."""

RECORD_HEAD_BYTES = 8
CHANGE_HEAD_BYTES = 9
_RECORD = struct.Struct("<HIH")
_CHANGE = struct.Struct("<BHIH")
_COUNT = struct.Struct("<H")


class Record(NamedTuple):
    """One record of a name. Two records of a name are the same when kind and data are; the ttl may change."""

    kind: int
    ttl: int
    data: bytes


class Change(NamedTuple):
    """One change at a name; `action` is `ADD` or `REMOVE`."""

    action: int
    kind: int
    ttl: int
    data: bytes


class MalformedPackingError(ValueError):
    """Bytes that are no packed records, changes or page."""


Section = tuple[bytes, Sequence[Change]]
"""A name and its changes, in order."""


def pack_records(records: Iterable[Record]) -> bytes:
    """Records, one after another."""
    return b"".join([_RECORD.pack(kind, ttl, len(data)) + data for kind, ttl, data in records])


def unpack_records(packed: bytes) -> list[Record]:
    """What `pack_records` packed; raises MalformedPackingError."""
    records = []
    place = 0
    while place < len(packed):
        kind, ttl, length = _unpack(_RECORD, packed, place)
        place += RECORD_HEAD_BYTES
        records.append(Record(kind, ttl, _slice(packed, place, length)))
        place += length
    return records


def pack_section(name: bytes, changes: Sequence[Change]) -> bytes:
    """The changes of one name."""
    head = bytes([len(name)]) + name + _COUNT.pack(len(changes))
    return head + b"".join([_CHANGE.pack(action, kind, ttl, len(data)) + data for action, kind, ttl, data in changes])


def pack_changes(sections: Iterable[Section]) -> bytes:
    """All changes of one update."""
    return b"".join([pack_section(name, changes) for name, changes in sections])


def unpack_changes(packed: bytes) -> Iterator[tuple[bytes, list[Change]]]:
    """The sections that `pack_changes` packed; raises MalformedPackingError."""
    place = 0
    while place < len(packed):
        name = _slice(packed, place + 1, packed[place])
        place += 1 + len(name)
        (count,) = _unpack(_COUNT, packed, place)
        place += 2
        changes = []
        for _ in range(count):
            action, kind, ttl, length = _unpack(_CHANGE, packed, place)
            if action not in (REMOVE, ADD):
                raise MalformedPackingError(f"expected action {REMOVE} (remove) or {ADD} (add), found {action}")
            place += CHANGE_HEAD_BYTES
            changes.append(Change(action, kind, ttl, _slice(packed, place, length)))
            place += length
        yield name, changes


def pack_page(names: Iterable[bytes]) -> bytes:
    """Names, one after another."""
    return b"".join([bytes([len(name)]) + name for name in names])


def unpack_page(packed: bytes) -> list[bytes]:
    """The names of a page; raises MalformedPackingError."""
    names = []
    place = 0
    while place < len(packed):
        names.append(_slice(packed, place + 1, packed[place]))
        place += 1 + packed[place]
    return names


def pack_updates(sections: Iterable[Section], limit_bytes: int = CHANGES_BYTES_MAX) -> list[bytes]:
    """The changes as arguments of as few `update_zone` calls as `limit_bytes` allows, cut between names.

    One call is atomic, several are not: what needs more than one call can be seen half done.
    """
    updates: list[bytes] = []
    current: list[bytes] = []
    size_bytes = 0
    for name, changes in sections:
        section = pack_section(name, changes)
        if len(section) > limit_bytes:
            raise MalformedPackingError(
                f"{name!r}: its changes take {len(section)} bytes, an update at most {limit_bytes}"
            )
        if size_bytes + len(section) > limit_bytes:
            updates.append(b"".join(current))
            current, size_bytes = [], 0
        current.append(section)
        size_bytes += len(section)
    if current:
        updates.append(b"".join(current))
    return updates


def _unpack(layout: struct.Struct, packed: bytes, place: int) -> tuple[int, ...]:
    if place + layout.size > len(packed):
        raise MalformedPackingError(f"expected {layout.size} bytes at byte {place}, found {len(packed) - place}")
    return layout.unpack_from(packed, place)


def _slice(packed: bytes, place: int, length: int) -> bytes:
    if place + length > len(packed):
        raise MalformedPackingError(f"expected {length} bytes at byte {place}, found {max(0, len(packed) - place)}")
    return packed[place : place + length]
