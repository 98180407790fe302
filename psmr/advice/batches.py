"""The commands of a prediction: from a workload, or from the log that a replica left; as batches, and as columns of a `Program`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdep import Service
from cdep.groups import key_groups
from cdep.program import Program, places_of, touches_of
from proxies.encoding import key_column
from proxies.layout import ServiceLayout, layout_of
from psmr.demo.traffic import BatchEncoder
from psmr.workload import Segment, Workload


@dataclass(frozen=True, slots=True)
class Commands:
    """A batch as an engine takes it: `count` records of one stride, and the blob that they point into."""

    records: bytes
    count: int
    blob: bytes
    now_us: int = 0

    @property
    def stride(self) -> int:
        """Bytes of a record."""
        return len(self.records) // self.count


def preload_of(service: Service, workload: Workload) -> list[Commands]:
    """What is to be executed before the run."""
    encoder = BatchEncoder(service)
    return [Commands(*encoder.encode(segments)) for segments in workload.preload() if segments]


def commands_of(service: Service, workload: Workload, clients: int, count: int) -> list[Commands]:
    """About `count` calls, those of the clients in turn, in the workload's batches; fewer where an input ends."""
    return taken(batches_of(service, workload, clients), count)


def batches_of(service: Service, workload: Workload, clients: int) -> Iterator[Commands]:
    """The workload's batches, those of the clients in turn; they end only where an input does."""
    encoder = BatchEncoder(service)
    for segments in _in_turn([workload.batches(client) for client in range(clients)]):
        if sum(segment.count for segment in segments):
            yield Commands(*encoder.encode(segments))


def taken(batches: Iterator[Commands], count: int) -> list[Commands]:
    """The next batches, of about `count` calls; fewer where they end."""
    found: list[Commands] = []
    while count > 0 and (batch := next(batches, None)) is not None:
        found.append(batch)
        count -= batch.count
    return found


def _in_turn(clients: list[Iterator[Sequence[Segment]]]) -> Iterator[Sequence[Segment]]:
    while clients:
        for client in list(clients):
            segments = next(client, None)
            if segments is None:
                clients.remove(client)
            else:
                yield segments


def cut(batches: Sequence[Commands], sizes: Iterator[int]) -> Iterator[Commands]:
    """The same batches, each in pieces of at most the next of `sizes` commands."""
    for batch in batches:
        place = 0
        while place < batch.count:
            size = min(next(sizes), batch.count - place)
            records = batch.records[place * batch.stride : (place + size) * batch.stride]
            yield Commands(records, size, batch.blob, batch.now_us)
            place += size


def first(batches: Sequence[Commands], count: int) -> list[Commands]:
    """The batches that hold the first `count` commands, or all."""
    places = np.cumsum([batch.count for batch in batches])
    return list(islice(batches, int(np.searchsorted(places, count)) + 1))


def in_parts(batches: Sequence[Commands], count: int) -> list[Sequence[Commands]]:
    """The batches in `count` parts of about as many each, in order; fewer where there are not so many batches."""
    count = max(1, min(count, len(batches)))
    ends = [len(batches) * number // count for number in range(count + 1)]
    return [batches[begin:end] for begin, end in pairwise(ends)]


def program_of(service: Service, batches: Sequence[Commands]) -> Program:
    """The columns of commands; what each costs is 0 as yet. Raises ValueError for none, or an op that the service does not have."""
    if not batches:
        raise ValueError("expected commands, found none")
    layout = layout_of(service)
    sizes = [batch.count for batch in batches]
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    op = np.concatenate([_ops(batch) for batch in batches])
    if op.max() >= len(layout.commands):
        raise ValueError(f"expected commands 0 to {len(layout.commands) - 1} of {service.name}, found {op.max()}")
    names = _Names()
    shape = (len(op), places_of(service))
    keys, groups = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
    for start, batch in zip(starts.tolist(), batches, strict=False):
        for kind in np.unique(op[start : start + batch.count]).tolist():
            _fill(
                layout, kind, batch, np.flatnonzero(op[start : start + batch.count] == kind), start, names, keys, groups
            )
    return Program(service, op, keys, groups, starts, names.known, np.zeros(len(op)))


def _ops(batch: Commands) -> NDArray[np.int64]:
    rows = np.frombuffer(batch.records, np.uint8).reshape(batch.count, batch.stride)
    return rows[:, :2].copy().view("<u2").ravel().astype(np.int64)


def _fill(
    layout: ServiceLayout,
    kind: int,
    batch: Commands,
    places: NDArray[Any],
    start: int,
    names: _Names,
    keys: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> None:
    """Keys and groups of one command's calls in one batch."""
    command = layout.commands[kind]
    touches = touches_of(layout.service, command.command)
    if not touches:
        return
    rows = np.frombuffer(batch.records, command.dtype(batch.stride))[places]
    types = {field.name: field.type for field in command.fields}
    for place, key in enumerate(touches):
        column = key_column(types[key.parameter], rows[key.parameter], np.frombuffer(batch.blob, np.uint8))
        groups[start + places, place] = key_groups(command.command.name, key.parameter, types[key.parameter], column)
        keys[start + places, place] = names.numbers(
            key.domain, _values(rows[key.parameter], types[key.parameter], batch)
        )


def _values(rows: NDArray[Any], type_: Any, batch: Commands) -> list[Any]:
    if type_.kind == "bytes":
        pairs = zip(rows["offset"].tolist(), rows["length"].tolist(), strict=True)
        return [batch.blob[offset : offset + length] for offset, length in pairs]
    if type_.kind == "fixed":
        return [bytes(value) for value in rows]
    values: list[Any] = rows.tolist()
    return values


class _Names:
    """Numbers for keys, in the order in which they first come."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, Any], int] = {}

    def numbers(self, domain: str, values: list[Any]) -> list[int]:
        """The number of each value."""
        known = self._numbers
        return [known.setdefault((domain, value), len(known)) for value in values]

    @property
    def known(self) -> list[tuple[str, str]]:
        """What each number stands for."""
        return [(domain, key_text(value)) for domain, value in self._numbers]


def key_text(value: int | bytes) -> str:
    """A key to be read: a number, or bytes as text where they are that."""
    if not isinstance(value, bytes):
        return str(value)
    return value.decode() if value.isascii() and value.decode().isprintable() else value.hex()
