"""Calls for the credit matrix: popular clients deal more, and near their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from apps.credit.codes import CLIENTS
from apps.distributions import Distribution, Generator, Scrambled, Uniform, Zipfian
from apps.parameters import Parameters
from psmr.workload import Segment, Workload, WorkloadOptions

SHARES = {
    "reserve": 0.48,
    "release": 0.18,
    "settle": 0.18,
    "available": 0.06,
    "available_between": 0.06,
    "used": 0.01,
    "settled": 0.01,
    "set_gross": 0.005,
    "set_line": 0.0095,
    "suspend": 0.0003,
    "reinstate": 0.0047,
    "total_used": 0.0005,
}
"""Of the commands."""
BLOCK = 16_384
LINES_A_CLIENT = 8
"""Counterparties that each client deals with: few, so that the lines between two are used up again and again."""
AMOUNT_MAX = 1_000
MILLION = 1_000_000

Numbers = np.ndarray[Any, Any]
_PAIR = ("client", "counterparty")
_PARAMETERS = {
    **dict.fromkeys(("reserve", "release", "settle"), (*_PAIR, "amount")),
    "available_between": _PAIR,
    "set_gross": ("client", "limit"),
    "set_line": (*_PAIR, "limit"),
    "total_used": (),
}
_COMMANDS = tuple(SHARES)
_SET_GROSS, _SET_LINE = _COMMANDS.index("set_gross"), _COMMANDS.index("set_line")


def workload(options: WorkloadOptions) -> Workload:
    """`clients` (default 1,000) by `distribution`=zipfian or uniform; `room` (default 4): how many of the largest amounts a line
    takes, so how near the limits the clients deal; `wrong` in a million calls (default 5,000) name what there is not.
    """
    if options.input_file is not None:
        raise ValueError("expected generated calls, found a file: the credit matrix reads none")
    return CreditWorkload(options, Parameters(options.parameters, ("clients", "distribution", "room", "wrong")))


class CreditWorkload:
    """`SHARES` of the commands, between each client and the few that it deals with."""

    def __init__(self, options: WorkloadOptions, parameters: Parameters) -> None:
        self._options = options
        self._clients = parameters.number("clients", min(1_000, CLIENTS), 2, CLIENTS)
        is_zipfian = parameters.choice("distribution", "zipfian", ("zipfian", "uniform")) == "zipfian"
        self._chosen: Distribution = Scrambled(Zipfian(self._clients)) if is_zipfian else Uniform(self._clients)
        self._line = parameters.number("room", 4, 1, MILLION) * AMOUNT_MAX
        self._gross = self._line * LINES_A_CLIENT // 2
        self._wrong = parameters.number("wrong", 5_000, 0, MILLION) / MILLION

    def preload(self) -> Iterator[Sequence[Segment]]:
        """A gross limit for each client, then what each grants those that it deals with, and they it."""
        clients = np.arange(self._clients)
        yield from self._cut("set_gross", {"client": clients, "limit": np.full(len(clients), self._gross)})
        steps = np.arange(1, LINES_A_CLIENT // 2 + 1)
        one = np.repeat(clients, len(steps))
        other = (one + np.tile(steps, len(clients))) % self._clients
        pairs = np.concatenate([np.stack([one, other]), np.stack([other, one])], axis=1)[:, np.tile(one != other, 2)]
        limits = np.full(pairs.shape[1], self._line)
        yield from self._cut("set_line", {"client": pairs[0], "counterparty": pairs[1], "limit": limits})

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Endless."""
        generator = np.random.Generator(np.random.PCG64([self._options.seed, client]))
        size = self._options.batch
        while True:
            count = max(1, BLOCK // size) * size
            commands = generator.choice(len(SHARES), count, p=list(SHARES.values()))
            columns = self._columns(generator, commands)
            for begin in range(0, count, size):
                yield _segments(commands[begin : begin + size].tolist(), columns, begin)

    def _columns(self, generator: Generator, commands: Numbers) -> dict[str, Numbers]:
        count = len(commands)
        client = self._chosen.draw(generator, count)
        step = generator.integers(1, LINES_A_CLIENT // 2 + 1, count) * generator.choice([-1, 1], count)
        counterparty = (client + step) % self._clients
        amount = generator.integers(1, AMOUNT_MAX + 1, count)
        is_wrong = generator.random(count) < self._wrong
        kind = generator.integers(0, 4, count)
        client[is_wrong & (kind == 0)] = CLIENTS + 7
        counterparty[is_wrong & (kind == 1)] = CLIENTS - 1 + CLIENTS
        amount[is_wrong & (kind == 2)] = 0
        amount[is_wrong & (kind == 3)] = -5
        base = np.where(commands == _SET_GROSS, self._gross, self._line)
        limit = base * generator.integers(50, 151, count) // 100
        return {"client": client, "counterparty": counterparty, "amount": amount, "limit": limit}

    def _cut(self, command: str, columns: dict[str, Numbers]) -> Iterator[Sequence[Segment]]:
        count = len(columns["limit"])
        for begin in range(0, count, self._options.batch):
            part = {name: column[begin : begin + self._options.batch] for name, column in columns.items()}
            yield [Segment(command, part, len(part["limit"]))]


def _segments(commands: list[int], columns: dict[str, Numbers], first: int) -> list[Segment]:
    segments, place = [], first
    for command, group in groupby(commands):
        count = sum(1 for _ in group)
        name = _COMMANDS[command]
        part = {key: columns[key][place : place + count] for key in _PARAMETERS.get(name, ("client",))}
        segments.append(Segment(name, part, count))
        place += count
    return segments
