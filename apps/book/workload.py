"""Calls for a market of books: a generated flow over many instruments, or a LOBSTER file's, in its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import numpy as np

from apps.book.generated import FILE_SHARES, GeneratedFlow, Mix
from apps.book.judge import ExecutionJudge, judge_of_file
from apps.book.lobster import Messages
from apps.book.replay import INSTRUMENT, RESTING_CLIENT, FileReplay
from apps.book.rules import CLIENTS, INSTRUMENTS
from apps.parameters import Parameters
from psmr.workload import Segment, Workload, WorkloadOptions

COLUMNS: dict[str, tuple[str, ...]] = {
    "limit": ("instrument", "client", "order", "side", "kind", "prevention", "price", "quantity"),
    "market_order": ("instrument", "client", "order", "side", "prevention", "quantity"),
    "cancel": ("instrument", "client", "order"),
    "replace": ("instrument", "client", "order", "price", "quantity"),
    "mass_cancel": ("instrument", "client"),
    "mass_cancel_everywhere": ("client",),
    "list_instrument": ("instrument",),
    "register": ("first", "count"),
    "halt": ("instrument",),
    "resume": ("instrument",),
    "best": ("instrument",),
    "depth": ("instrument", "side", "after"),
}
"""Parameters by command, in their order."""

Calls = Iterable[tuple[str, tuple[int, ...]]]


def workload(options: WorkloadOptions) -> Workload:
    """Calls for `Book`. Raises InvalidParameterError, FileNotFoundError and MalformedMessageError."""
    if options.input_file is not None:
        messages, departures = _file_parameters(options)
        return FileWorkload(options, messages, departures)
    parameters = Parameters(options.parameters, ("instruments", "traders", "distribution", "mix"))
    return GeneratedWorkload(
        options,
        parameters.number("instruments", 1_000, 1, INSTRUMENTS),
        parameters.number("traders", 2_000, 1, CLIENTS),
        is_zipfian=parameters.choice("distribution", "zipfian", ("zipfian", "uniform")) == "zipfian",
        mix=Mix() if parameters.choice("mix", "demo", ("demo", "file")) == "demo" else FILE_SHARES,
    )


def judge(options: WorkloadOptions) -> ExecutionJudge | None:
    """Who compares the executions with a file's; nobody where there is no file."""
    if options.input_file is None:
        return None
    messages, departures = _file_parameters(options)
    return judge_of_file(messages, departures=departures)


def _file_parameters(options: WorkloadOptions) -> tuple[Messages, str]:
    if options.input_file is None:
        raise ValueError("expected a file of messages to read, found no input file")
    parameters = Parameters(options.parameters, ("malformed", "departures"))
    skip = parameters.choice("malformed", "fatal", ("fatal", "skip")) == "skip"
    messages = Messages(options.input_file, skip_malformed=skip)
    return messages, parameters.choice("departures", "taken", ("taken", "sent"))


def segments(calls: Calls) -> Sequence[Segment]:
    """Calls in their order, as runs of one command."""
    found: list[Segment] = []
    for command, group in groupby(calls, key=lambda call: call[0]):
        rows = [arguments for _, arguments in group]
        columns = zip(COLUMNS[command], zip(*rows, strict=True), strict=True)
        found.append(Segment(command, {name: _column(name, column) for name, column in columns}, len(rows)))
    return found


def _column(name: str, column: Sequence[int]) -> Any:
    return np.array(column, np.uint64 if name == "order" else np.int64)


class FileWorkload:
    """A file's calls, in its order: all of them client 0's; the others have none.

    The file is read once before anything runs, so that a malformed line is found at once.
    """

    def __init__(self, options: WorkloadOptions, messages: Messages, departures: str) -> None:
        self._batch = options.batch
        replay = FileReplay(departures=departures)
        self._calls = [(call.command, call.arguments) for call in replay.calls(messages)]
        self.skipped = messages.skipped

    def preload(self) -> Iterator[Sequence[Segment]]:
        """The instrument, and the two clients: of resting orders, and of those that execute them."""
        yield segments([("list_instrument", (INSTRUMENT,)), ("register", (RESTING_CLIENT, 2))])

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """The whole file for client 0, nothing for the others."""
        calls = iter(self._calls if client == 0 else ())
        while batch := list(islice(calls, self._batch)):
            yield segments(batch)


class GeneratedWorkload:
    """`instruments` (default 1,000) chosen `distribution`=zipfian (exponent 1, the default) or uniform, `traders` (2,000) clients.

    `mix`: demo (a file's shares, and some of every other command) or file (its shares alone). Each driving client has instruments
    of its own, as long as there are enough: of two orders sent at once for one book no reply tells which came first until much
    later, and a history of them could not be checked.
    """

    def __init__(self, options: WorkloadOptions, instruments: int, traders: int, *, is_zipfian: bool, mix: Mix) -> None:
        self._options = options
        self._instruments = instruments
        self._drivers = min(options.clients, instruments)
        self._traders = traders
        self._is_zipfian = is_zipfian
        self._mix = mix

    def preload(self) -> Iterator[Sequence[Segment]]:
        """Every instrument, every client."""
        yield segments([("register", (0, self._traders))])
        listings: list[tuple[str, tuple[int, ...]]] = [("list_instrument", (n,)) for n in range(self._instruments)]
        for begin in range(0, len(listings), self._options.batch):
            yield segments(listings[begin : begin + self._options.batch])

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Endless."""
        flow = GeneratedFlow(
            np.random.Generator(np.random.PCG64([self._options.seed, client])),
            first_order=1 + client,
            order_step=self._options.clients,
            first_instrument=client % self._drivers,
            instrument_step=self._drivers,
            instruments=self._instruments,
            traders=self._traders,
            is_zipfian=self._is_zipfian,
            mix=self._mix,
        )
        calls = flow.calls()
        while True:
            yield segments(list(islice(calls, self._options.batch)))
