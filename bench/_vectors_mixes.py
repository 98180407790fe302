"""How long runs of commuting calls are in real mixes: of one command, next to each other among the rows of one worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from apps import kv, nameserver
from cdep import Command, Service, service_of
from cdep.groups import group_of
from proxies.encoding import Encoded
from psmr.demo.traffic import BatchEncoder
from psmr.workload import Application, Segment, WorkloadOptions

ROWS = 1024
"""Calls in a batch."""
LENGTHS = (1, 4, 16, 64)
"""Where classes of lengths begin."""
_CLASSES = ("1–3", "4–15", "16–63", "64 and more")

Row = tuple[str, tuple[Any, ...], int, bool]
"""(command, keys, groups as bits, whether it writes)."""

_group = lru_cache(1 << 20)(group_of)


@dataclass(frozen=True, slots=True)
class Mix:
    """A workload by name; `is_timed`: it is of the integer key-value store, for which vector forms were written."""

    name: str
    application: Application
    parameters: Mapping[str, str]
    is_timed: bool = True
    input_file: Path | None = None


_INTEGERS = kv.VARIANTS["integer"]


def mixes(traces: Sequence[Path], quick: bool) -> list[Mix]:
    """Those that come with the applications, and key streams that are there."""
    if quick:
        return [Mix("kv demo", _INTEGERS, {"mix": "demo", "keys": "1000"})]
    streams = [Mix(f"trace {path.name.split('.')[0]}", _INTEGERS, {}, input_file=path) for path in traces]
    ycsb = [Mix(f"kv {name}", _INTEGERS, {"mix": name}) for name in ("A", "B", "C", "F", "demo")]
    large = [Mix(f"kv {name}, 10⁶ keys", _INTEGERS, {"mix": name, "keys": "1000000"}) for name in ("A", "B", "C")]
    return [*streams, *ycsb, *large, Mix("nameserver", nameserver.APPLICATION, {}, is_timed=False)]


class Drawn:
    """A mix's service and calls: those that load it, and `batches` of them."""

    def __init__(self, mix: Mix, batches: int) -> None:
        options = WorkloadOptions(1, 1, ROWS, parameters=mix.parameters, input_file=mix.input_file)
        workload = mix.application.workload(options)
        self.service = service_of(mix.application.service)
        self._encoder = BatchEncoder(self.service)
        self._workload = workload
        self._segments = list(islice(workload.batches(0), batches))

    def loading(self) -> Iterator[Encoded]:
        """Batches that fill the store."""
        return (self._encoded(segments) for segments in self._workload.preload())

    def parallel(self) -> list[Encoded]:
        """The batches without what is ordered against everything."""
        kept = [[s for s in segments if not self._is_dependent(s)] for segments in self._segments]
        return [self._encoded(segments) for segments in kept]

    def _is_dependent(self, segment: Segment) -> bool:
        return self.service.command(segment.command).kind == "dependent"

    def _encoded(self, segments: Sequence[Segment]) -> Encoded:
        records, count, blob = self._encoder.encode(segments)
        return Encoded(records=records, count=count, blob=blob)

    def lengths(self, workers: int) -> dict[str, float]:
        """The share of a worker's calls that are in runs of each class of lengths, and `mean` over runs."""
        counted: Counter[int] = Counter()
        for segments in self._segments:
            rows = _rows(self.service, segments)
            for worker in range(workers):
                counted.update(run_lengths(rows, worker, workers))
        calls = sum(length * times for length, times in counted.items())
        bounds = [*LENGTHS, ROWS + 1]
        shares = {
            name: sum(n * times for n, times in counted.items() if least <= n < bound) / calls
            for name, least, bound in zip(_CLASSES, bounds[:-1], bounds[1:], strict=True)
        }
        return {**shares, "mean": calls / counted.total()}


def run_lengths(rows: Sequence[Row], worker: int, workers: int) -> Iterator[int]:
    """The length of each run in one worker's part of a batch. A row that others own, too, ends a run and belongs to none."""
    command, seen, length = "", set[tuple[Any, ...]](), 0
    for op, keys, groups, writes in rows:
        owners = {group % workers for group in range(64) if groups >> group & 1}
        if worker not in owners:
            continue
        continues = op == command and not (writes and keys in seen)
        if length and (len(owners) > 1 or not continues):
            yield length
            length = 0
        if len(owners) > 1:
            command = ""
            continue
        if length == 0:
            seen.clear()
        command, length = op, length + 1
        seen.add(keys)
    if length:
        yield length


def _rows(service: Service, segments: Sequence[Segment]) -> list[Row]:
    rows: list[Row] = []
    for segment in segments:
        command = service.command(segment.command)
        columns = [_values(segment.columns[key.parameter]) for key in command.dependencies]
        for number in range(segment.count):
            keys = tuple(column[number] for column in columns)
            rows.append((command.name, keys, _groups(command, keys, len(rows)), command.access != "read"))
    return rows


def _values(column: Any) -> list[Any]:
    return column.tolist() if hasattr(column, "tolist") else list(column)


def _groups(command: Command, keys: tuple[Any, ...], position: int) -> int:
    if command.kind == "dependent":
        return (1 << 64) - 1
    if command.kind == "independent":
        return 1 << (position % 64)
    groups = 0
    for key in keys:
        groups |= 1 << _group(key)
    return groups
