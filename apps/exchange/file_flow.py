"""A LOBSTER message file as calls of the exchange: one instrument, its orders spread over many clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from apps.book.judge import ExecutionJudge, judge_of_file
from apps.book.lobster import Messages
from apps.book.replay import INSTRUMENT, FileReplay
from apps.book.rules import TICKS
from apps.distributions import scatter
from apps.exchange.rules import CLIENTS, LIMIT_MAX
from apps.parameters import Parameters
from psmr.workload import Segment, WorkloadOptions

KNOWN = ("clients", "malformed", "departures")
_PARAMETERS = {
    "limit": ("instrument", "client", "order", "side", "kind", "prevention", "price", "quantity"),
    "cancel": ("instrument", "client", "order"),
    "reduce": ("instrument", "client", "order", "quantity"),
    "halt": ("instrument",),
    "resume": ("instrument",),
}


def judge(options: WorkloadOptions) -> ExecutionJudge | None:
    """Who compares the executions with a file's; nobody where there is no file."""
    if options.input_file is None:
        return None
    messages, departures = _file(options)
    return judge_of_file(messages, departures=departures)


class FileFlow:
    """The file's calls in its order: all of them driving client 0's; the others have none.

    An order belongs to the client that its number is scattered to, of `clients` (default 1,000), each with as much credit as there
    can be. `malformed`=skip leaves malformed lines out, `departures`=sent sends what leaves price-time priority too
    (`apps.book.replay`).
    """

    def __init__(self, options: WorkloadOptions) -> None:
        self._batch = options.batch
        self._clients = Parameters(options.parameters, KNOWN).number("clients", 1_000, 1, CLIENTS)
        messages, departures = _file(options)
        self._calls = [(call.command, call.arguments) for call in FileReplay(departures=departures).calls(messages)]
        self.skipped = messages.skipped

    def preload(self) -> Iterator[Sequence[Segment]]:
        """The book, up to the highest price there is, and every client."""
        yield [Segment("list_instrument", {"instrument": np.array([INSTRUMENT]), "ceiling": np.array([TICKS - 1])}, 1)]
        for begin in range(0, self._clients, self._batch):
            clients = np.arange(begin, min(begin + self._batch, self._clients))
            yield [Segment("set_gross", {"client": clients, "limit": np.full(len(clients), LIMIT_MAX)}, len(clients))]

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """The file once."""
        calls = iter(self._calls if client == 0 else ())
        while batch := list(islice(calls, self._batch)):
            yield [self._segment(command, list(arguments)) for command, arguments in batch]

    def _segment(self, command: str, arguments: list[int]) -> Segment:
        if len(arguments) > 1:
            arguments[1] = int(scatter(np.array([arguments[2]]), self._clients)[0])
        if command == "replace":
            # Part of an order is cancelled: less of it, at the price that it has.
            command, arguments = "reduce", [*arguments[:3], arguments[4]]
        names = _PARAMETERS[command]
        return Segment(command, {name: np.array([value]) for name, value in zip(names, arguments, strict=True)}, 1)


def _file(options: WorkloadOptions) -> tuple[Messages, str]:
    if options.input_file is None:
        raise ValueError("expected a LOBSTER message file to read, found no input file")
    parameters = Parameters(options.parameters, KNOWN)
    skip = parameters.choice("malformed", "fatal", ("fatal", "skip")) == "skip"
    return Messages(options.input_file, skip_malformed=skip), parameters.choice(
        "departures", "taken", ("taken", "sent")
    )
