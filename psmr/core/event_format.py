"""How an event lies in memory, on disk and on the wire: a head of 8 bytes, then its fields. Pure.

    offset  bytes
      0     2       kind: the event's place among the service's declared events
      2     2       length of the whole, a multiple of 8
      4     4       row of its command in the batch
      8     …       the fields: the widest first, `Size(n)` last; what is left up to the length is zeros

Numbers are little-endian, without room between them: a field's place is a multiple of its width.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import cdep
from cdep import Service, Size, ValueType, value_type
from psmr.core.batch import RECORDS_MAX

HEAD = struct.Struct("<HHI")
HEAD_BYTES = HEAD.size
COMMAND_BYTES = 1 << 16
"""How many bytes of events a command may emit."""
EVENT_BYTES_MAX = COMMAND_BYTES // 2
KINDS_MAX = 1 << 16
EVENT_ROWS_MAX = 65_536
"""How many commands a batch of a service with events may have: what they may emit has room in a worker's area."""

_FORMATS = {
    "bool": "?",
    "u8": "B",
    "u16": "H",
    "u32": "I",
    "u64": "Q",
    "i8": "b",
    "i16": "h",
    "i32": "i",
    "i64": "q",
    "f64": "d",
}


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of an event, and where in the record it begins."""

    name: str
    type: ValueType
    offset: int


class EventLayout:
    """Where the fields of one declared event lie; `fields` in the order declared, `size_bytes` of the whole record.

    Raises TypeError for fields of variable length and for more than `EVENT_BYTES_MAX` bytes.
    """

    def __init__(self, fields: Mapping[str, ValueType]) -> None:
        offsets: dict[str, int] = {}
        end = HEAD_BYTES
        for name, kind in sorted(fields.items(), key=lambda field: -_alignment(field[1])):
            if kind.kind == "bytes":
                raise TypeError(f"{name}: expected a field of fixed size, found {kind.name}; use Size(n)")
            offsets[name] = end
            end += kind.size_bytes
        self.fields = tuple(EventField(name, kind, offsets[name]) for name, kind in fields.items())
        self.size_bytes = -(-end // 8) * 8
        self.used_bytes = end
        if self.size_bytes > EVENT_BYTES_MAX:
            raise TypeError(f"expected an event of at most {EVENT_BYTES_MAX} bytes, found {self.size_bytes}")
        packed = sorted(self.fields, key=lambda field: field.offset)
        self._struct = struct.Struct("<" + "".join(_format(field.type) for field in packed))
        self._names = tuple(field.name for field in packed)
        self._in_order = self._names == tuple(fields)

    def decode(self, record: bytes | memoryview, place: int = 0) -> dict[str, Any]:
        """The fields of the record that begins at `place`, as plain Python values, in the order declared."""
        values = dict(zip(self._names, self._struct.unpack_from(record, place + HEAD_BYTES), strict=True))
        return values if self._in_order else {field.name: values[field.name] for field in self.fields}


def records(events: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """Each event of a batch as (kind, row, where its record begins). Raises ValueError where no whole record is."""
    place = 0
    while place < len(events):
        if place + HEAD_BYTES > len(events):
            raise ValueError(f"event at byte {place}: expected {HEAD_BYTES} bytes, found {len(events) - place}")
        kind, length, row = HEAD.unpack_from(events, place)
        if length < HEAD_BYTES or length % 8 or place + length > len(events):
            raise ValueError(f"event at byte {place}: expected a length up to {len(events) - place}, found {length}")
        yield kind, row, place
        place += length


def packer(layout: EventLayout, encoders: Mapping[str, Callable[[Any], bytes]]) -> Callable[[tuple[Any, ...]], bytes]:
    """A function from the values of an event, in the order declared, to what lies behind its head."""
    order = sorted(range(len(layout.fields)), key=lambda place: layout.fields[place].offset)
    steps = [(place, encoders[layout.fields[place].name]) for place in order]
    padding = bytes(layout.size_bytes - layout.used_bytes)
    return lambda values: b"".join(encode(values[place]) for place, encode in steps) + padding


def _alignment(kind: ValueType) -> int:
    return 0 if kind.kind == "fixed" else kind.size_bytes


def _format(kind: ValueType) -> str:
    return f"{kind.limit}s" if kind.kind == "fixed" else _FORMATS[kind.name]


def rows_max(service: Service) -> int:
    """How many commands a batch of the service may have: fewer where they may emit, half of that where each stage may."""
    if not any(text.startswith("Event(") for _, text in service.state):
        return RECORDS_MAX
    return EVENT_ROWS_MAX // 2 if service.is_staged else EVENT_ROWS_MAX


def declared_events(service: Service) -> dict[str, EventLayout]:
    """The events of a service by name, in the order of their kinds, from its specification alone."""
    return {name: EventLayout(_declared(text)) for name, text in service.state if text.startswith("Event(")}


def _declared(text: str) -> dict[str, ValueType]:
    fields = (field.partition("=") for field in text.removeprefix("Event(").removesuffix(")").split(", ") if field)
    return {name: _value_type(kind) for name, _, kind in fields}


def _value_type(name: str) -> ValueType:
    if name.startswith("Size("):
        return value_type(Annotated[bytes, Size(int(name[5:-1]))])
    return value_type(bool if name == "bool" else getattr(cdep, name))
