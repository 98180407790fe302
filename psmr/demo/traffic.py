"""The clients of a demonstration: each sends batches one after another, paced, and writes down what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from cdep import Service
from proxies.encoding import CommandEncoder, Encoded, joined
from proxies.layout import layout_of
from psmr.core.reply import parse_reply
from psmr.demo.interleaved import are_short, interleaved
from psmr.demo.record import BatchRecord
from psmr.errors import ClusterUnavailable, OutcomeUnknown, Refused
from psmr.workload import Segment, Workload

_PAUSE_S = 0.01
_FIRST_STRANGER = -2000


class Submitting(Protocol):
    """What the clients need of a connection."""

    def submit(self, records: bytes, count: int, blob: bytes = b"") -> Awaitable[memoryview]:
        """The whole reply to a batch."""

    def read(self, records: bytes, count: int, blob: bytes = b"") -> Awaitable[memoryview]:
        """The whole reply to a batch whose commands only read."""


class BatchEncoder:
    """Segments of a workload as the records and the blob of one batch."""

    def __init__(self, service: Service) -> None:
        layout = layout_of(service)
        self._encoders = {c.command.name: CommandEncoder(service, c) for c in layout.commands}

    def only_reads(self, segments: Sequence[Segment]) -> bool:
        """Whether every command of them is declared as reading."""
        return all(self._encoders[segment.command].command.access == "read" for segment in segments)

    def apart(self, segments: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
        """What may write, then what only reads; neither if it is empty."""
        writes = [segment for segment in segments if not self.only_reads([segment])]
        reads = [segment for segment in segments if self.only_reads([segment])]
        yield from (part for part in (writes, reads) if part)

    def encode(self, segments: Sequence[Segment]) -> tuple[bytes, int, bytes]:
        """(records, count, blob)."""
        if are_short(segments) and (calls := interleaved(self._encoders, segments)) is not None:
            return calls.records, calls.count, calls.blob
        parts: list[Encoded] = []
        base = 0
        for segment in segments:
            encoder = self._encoders[segment.command]
            columns = [segment.columns[parameter.name] for parameter in encoder.command.parameters]
            parts.append(encoder.columns(columns, base) if columns else encoder.repeat(segment.count))
            base += len(parts[-1].blob)
        one_by_one = joined(parts)
        return one_by_one.records, one_by_one.count, one_by_one.blob


@dataclass(slots=True)
class Traffic:
    """What has been sent and acknowledged so far, by all clients. Times are of `clock_us`."""

    clock_us: Callable[[], int]
    records: list[BatchRecord] = field(default_factory=list)
    acknowledged_at_us: list[int] = field(default_factory=list)
    commands: int = 0
    reads: int = 0
    unknown: int = 0
    failures: int = 0
    _strangers: int = _FIRST_STRANGER

    async def run_client(
        self,
        client: int,
        connection: Submitting,
        encoder: BatchEncoder,
        workload: Workload,
        rate: float,
        is_over: Callable[[], bool],
    ) -> None:
        """Send batches at up to `rate` commands a second until `is_over`, or the workload is.

        Every second batch goes in two parts, of which the one that only reads needs no place in the log.
        """
        session = -1 - client
        next_us = self.clock_us()
        for number, segments in enumerate(workload.batches(client)):
            if is_over():
                return
            now_us = self.clock_us()
            if next_us > now_us:
                await asyncio.sleep((next_us - now_us) / 1e6)
            count = sum(segment.count for segment in segments)
            for part in encoder.apart(segments) if number % 2 else (segments,):
                session = await self._send(session, connection, encoder, part)
            # What a stall made late is not made up for: the offered rate is a bound, not a debt.
            next_us = max(next_us, self.clock_us() - 100_000) + int(count / rate * 1e6)

    async def preload(self, connection: Submitting, encoder: BatchEncoder, workload: Workload) -> None:
        """Send the batches that come before the run; they count as commands of a client of their own."""
        session = -1000
        for segments in workload.preload():
            session = await self._send(session, connection, encoder, segments)

    async def _send(
        self, session: int, connection: Submitting, encoder: BatchEncoder, segments: Sequence[Segment]
    ) -> int:
        """Send one batch and write down what became of it; the session it went through, as far as it is known."""
        records, count, blob = encoder.encode(segments)
        is_read = encoder.only_reads(segments)
        send = connection.read if is_read else connection.submit
        invoked_us = self.clock_us()
        try:
            reply = bytes(await send(records, count, blob))
        except (Refused, ClusterUnavailable):
            # Executed by nobody: there is nothing to check.
            self.failures += 1
            await asyncio.sleep(_PAUSE_S)
            return session
        except OutcomeUnknown:
            self.unknown += count
            self.records.append(BatchRecord(session, invoked_us, None, records, blob, count, None))
            # It may yet be executed, after what the client sends through another session: that is another process's.
            self._strangers -= 1
            return self._strangers
        returned_us = self.clock_us()
        session = parse_reply(reply).session or session
        self.commands += count
        self.reads += count if is_read else 0
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
