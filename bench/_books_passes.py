"""A real hour of one stock as batches for a market of books, over and over: every pass trades another instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.book import APPLICATION, Book
from cdep import service_of
from proxies.layout import layout_of
from psmr.advice.batches import Commands, commands_of, preload_of
from psmr.workload import WorkloadOptions


@dataclass(frozen=True, slots=True)
class Passes:
    """`preload`, and then `passes`, to be executed in order."""

    preload: list[Commands]
    passes: list[list[Commands]]


def passes_of(options: WorkloadOptions, count: int, commands_max: int) -> Passes:
    """The first `commands_max` calls of the workload's one client, `count` times; they are all on instrument 0."""
    service = service_of(Book)
    workload = APPLICATION.workload(options)
    once = commands_of(service, workload, 1, commands_max)
    listed = preload_of(service, workload)
    return Passes(
        [each for number in range(count) for each in _at(listed, number)],
        [_at(once, number) for number in range(count)],
    )


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
