"""A real hour of one stock as batches for a market of books, over and over: every pass trades another instrument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bench
from apps.book import Book
from apps.book.workload import workload
from cdep import service_of
from proxies.layout import layout_of
from psmr.advice.batches import Commands, commands_of, in_parts, preload_of
from psmr.workload import WorkloadOptions

BATCH = 1024
FILES = Path(str(bench.__file__)).parents[2] / "shared" / "data" / "lobster"
"""Where LOBSTER message files are looked for: beside the project, for they may not be given on."""


@dataclass(frozen=True, slots=True)
class Flow:
    """`preload` and then `passes`, to be executed in order; `name` says of what file they are made."""

    name: str
    preload: list[Commands]
    passes: list[list[Commands]]

    @property
    def commands(self) -> int:
        """Of one pass."""
        return sum(batch.count for batch in self.passes[0])


def flow_of_file(passes: int, commands_max: int) -> Flow:
    """The first `commands_max` calls of a LOBSTER file beside the project; a generated flow with its shares if there is none."""
    files = sorted(FILES.glob("*message*.csv"))
    parameters = {} if files else {"instruments": "1", "mix": "file"}
    options = WorkloadOptions(1, 1, BATCH, files[-1] if files else None, parameters)
    service = service_of(Book)
    calls = workload(options)
    once = commands_of(service, calls, 1, commands_max)
    listed = preload_of(service, calls)
    return Flow(
        files[-1].name if files else "generated, with a LOBSTER file's shares",
        [each for number in range(passes) for each in _at(listed, number)],
        [_at(once, number) for number in range(passes)],
    )


def generated(owner: Any, chosen: Any, parameters: dict[str, str], commands: int, parts: int) -> Flow:
    """An application's own flow in `parts` parts; `chosen` is its workload function."""
    service = service_of(owner)
    calls = chosen(WorkloadOptions(1, 4, BATCH, None, parameters))
    batches = commands_of(service, calls, 4, commands)
    return Flow("generated", preload_of(service, calls), [list(part) for part in in_parts(batches, parts)])


def _at(batches: list[Commands], instrument: int) -> list[Commands]:
    """The same calls for another instrument."""
    return [Commands(_moved(batch, instrument), batch.count, batch.blob, batch.now_us) for batch in batches]


def _moved(batch: Commands, instrument: int) -> bytes:
    rows = np.frombuffer(batch.records, np.uint8).reshape(batch.count, batch.stride).copy()
    ops = rows[:, :2].copy().view("<u2").ravel()
    for command in layout_of(service_of(Book)).commands:
        mine = np.flatnonzero(ops == command.command.op)
        for field in command.fields if len(mine) else ():
            if field.name == "instrument":
                number = np.frombuffer(np.array([instrument], "<u4").tobytes(), np.uint8)
                rows[np.ix_(mine, np.arange(field.offset, field.offset + 4))] = number
    return rows.tobytes()
