"""The clients of a demonstration: each sends batches one after another, paced, and writes down what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from cdep import Service
from proxies.encoding import CommandEncoder
from proxies.layout import layout_of
from psmr.core.reply import parse_reply
from psmr.demo.record import BatchRecord
from psmr.errors import ClusterUnavailable, OutcomeUnknown, Refused
from psmr.workload import Segment, Workload

_PAUSE_S = 0.01


class Submitting(Protocol):
    """What the clients need of a connection."""

    def submit(self, records: bytes, count: int, blob: bytes = b"") -> Awaitable[memoryview]:
        """The whole reply to a batch."""


class BatchEncoder:
    """Segments of a workload as the records and the blob of one batch."""

    def __init__(self, service: Service) -> None:
        layout = layout_of(service)
        self._encoders = {c.command.name: CommandEncoder(service, c) for c in layout.commands}

    def encode(self, segments: Sequence[Segment]) -> tuple[bytes, int, bytes]:
        """(records, count, blob)."""
        records: list[bytes] = []
        blobs: list[bytes] = []
        count = base = 0
        for segment in segments:
            encoder = self._encoders[segment.command]
            columns = [segment.columns[parameter.name] for parameter in encoder.command.parameters]
            encoded = encoder.columns(columns, base) if columns else encoder.repeat(segment.count)
            records.append(encoded.records)
            blobs.append(encoded.blob)
            base += len(encoded.blob)
            count += encoded.count
        return b"".join(records), count, b"".join(blobs)


@dataclass(slots=True)
class Traffic:
    """What has been sent and acknowledged so far, by all clients. Times are of `clock_us`."""

    clock_us: Callable[[], int]
    records: list[BatchRecord] = field(default_factory=list)
    acknowledged_at_us: list[int] = field(default_factory=list)
    commands: int = 0
    unknown: int = 0
    failures: int = 0

    async def run_client(
        self, client: int, connection: Submitting, encoder: BatchEncoder, workload: Workload, rate: float, until_us: int
    ) -> None:
        """Send batches at up to `rate` commands a second until the time or the workload is over."""
        session = -1 - client
        next_us = self.clock_us()
        for segments in workload.batches(client):
            now_us = self.clock_us()
            if now_us >= until_us:
                return
            if next_us > now_us:
                await asyncio.sleep((next_us - now_us) / 1e6)
            records, count, blob = encoder.encode(segments)
            session = await self._send(session, connection, records, count, blob)
            # What a stall made late is not made up for: the offered rate is a bound, not a debt.
            next_us = max(next_us, self.clock_us() - 100_000) + int(count / rate * 1e6)

    async def preload(self, connection: Submitting, encoder: BatchEncoder, workload: Workload) -> None:
        """Send the batches that come before the run; they count as commands of a client of their own."""
        session = -1000
        for segments in workload.preload():
            session = await self._send(session, connection, *encoder.encode(segments))

    async def _send(self, session: int, connection: Submitting, records: bytes, count: int, blob: bytes) -> int:
        """Send one batch and write down what became of it; the session it went through, as far as it is known."""
        invoked_us = self.clock_us()
        try:
            reply = bytes(await connection.submit(records, count, blob))
        except (Refused, ClusterUnavailable):
            # Executed by nobody: there is nothing to check.
            self.failures += 1
            await asyncio.sleep(_PAUSE_S)
            return session
        except OutcomeUnknown:
            self.unknown += count
            self.records.append(BatchRecord(session, invoked_us, None, records, blob, count, None))
            return session
        returned_us = self.clock_us()
        session = parse_reply(reply).session
        self.commands += count
        self.acknowledged_at_us.append(returned_us)
        self.records.append(BatchRecord(session, invoked_us, returned_us, records, blob, count, reply))
        return session


def longest_gap_ms(acknowledged_at_us: Sequence[int], from_us: int, until_us: int) -> float:
    """The longest time without an acknowledgement that touches the time after `from_us`."""
    before = [at for at in acknowledged_at_us if at <= from_us]
    after = [at for at in acknowledged_at_us if from_us < at <= until_us]
    times = [max(before, default=from_us), *sorted(after)]
    if not after:
        times.append(until_us)
    return max((later - earlier for earlier, later in pairwise(times)), default=0) / 1000
