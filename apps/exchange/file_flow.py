"""A LOBSTER message file as calls of the exchange: one instrument, its orders spread over many clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from apps.book.lobster import Messages
from apps.book.replay import INSTRUMENT, Call, FileReplay
from apps.book.rules import TICKS
from apps.distributions import scatter
from apps.exchange.rules import CLIENTS, LIMIT_MAX
from apps.parameters import Parameters
from psmr.workload import Segment, WorkloadOptions

_PARAMETERS = {
    "limit": ("instrument", "client", "order", "side", "kind", "prevention", "price", "quantity"),
    "cancel": ("instrument", "client", "order"),
    "reduce": ("instrument", "client", "order", "quantity"),
    "halt": ("instrument",),
    "resume": ("instrument",),
}


class FileFlow:
    """The file's calls, all sent by one driving client in the file's order; the others have nothing to send.

    An order belongs to the client that its number is scattered to, of `file_clients` (default 1,000), each with as much credit as
    there can be; `skip_malformed`=1 leaves malformed lines out instead of ending the run.
    """

    def __init__(self, options: WorkloadOptions, parameters: Parameters) -> None:
        if options.input_file is None:
            raise ValueError("expected a LOBSTER message file, found no input file")
        self._batch = options.batch
        self._clients = parameters.number("file_clients", 1_000, 1, CLIENTS)
        skips = parameters.number("skip_malformed", 0, 0, 1) == 1
        self.messages = Messages(options.input_file, skip_malformed=skips)
        self.replay = FileReplay()

    def preload(self) -> Iterator[Sequence[Segment]]:
        """The book, up to the highest price there is, and every client."""
        yield [Segment("list_instrument", {"instrument": [INSTRUMENT], "ceiling": [TICKS - 1]}, 1)]
        for begin in range(0, self._clients, self._batch):
            clients = np.arange(begin, min(begin + self._batch, self._clients))
            yield [Segment("set_gross", {"client": clients, "limit": np.full(len(clients), LIMIT_MAX)}, len(clients))]

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """The file once, from driving client 0; they end with it."""
        if client != 0:
            return
        self.replay = FileReplay()
        batch: list[Segment] = []
        for call in self.replay.calls(self.messages):
            batch.append(self._segment(call))
            if len(batch) == self._batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def _segment(self, call: Call) -> Segment:
        command, arguments = call.command, list(call.arguments)
        if len(arguments) > 1:
            arguments[1] = int(scatter(np.array([arguments[2]]), self._clients)[0])
        if command == "replace":
            # Part of an order is cancelled: less of it, at the price that it has.
            command, arguments = "reduce", [*arguments[:3], arguments[4]]
        return Segment(command, {name: [value] for name, value in zip(_PARAMETERS[command], arguments, strict=True)}, 1)
