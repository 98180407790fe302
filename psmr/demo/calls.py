"""The calls of a log that were executed, one by one in the order of execution, each with its reply and its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from proxies.calls import calls_of, order_of, replies_of
from proxies.layout import ServiceLayout
from psmr.core.batch import KIND_COMMANDS, Batch, split
from psmr.core.control import is_control
from psmr.core.reply import parse_reply
from psmr.demo.told import ToldByBatch
from psmr.storage import WholeLog
from psmr.workload import Told


class CallsError(Exception):
    """The log is not what was executed."""


class ExecutedCall(NamedTuple):
    """A call, and what became of it."""

    log_index: int
    command: str
    arguments: tuple[Any, ...]
    reply: Any
    told: list[Told]


class Calls:
    """Iterable once or again; raises CallsError where log and executed batches (replies by session and sequence) disagree."""

    def __init__(
        self, layout: ServiceLayout, log: WholeLog, executed: Mapping[tuple[int, int], bytes], told: ToldByBatch
    ) -> None:
        self._layout = layout
        self._log = log
        self._executed = executed
        self._told = told

    def __iter__(self) -> Iterator[ExecutedCall]:
        done: set[tuple[int, int]] = set()
        index, stamped_us = 1, 0
        while index <= self._log.last_index:
            for record in self._log.read(index, 1 << 20):
                index = record.index + 1
                if record.time_us < stamped_us:
                    raise CallsError(
                        f"log index {record.index}: stamped {record.time_us} µs, the entry before it {stamped_us} µs"
                    )
                stamped_us = record.time_us
                for batch in [] if is_control(record.payload) else split(record.payload):
                    place = (batch.session, batch.sequence)
                    # A duplicate, or one out of order, was executed elsewhere in the log or not at all.
                    if batch.kind != KIND_COMMANDS or place not in self._executed or place in done:
                        continue
                    if batch.sequence > 1 and (batch.session, batch.sequence - 1) not in done:
                        continue
                    done.add(place)
                    yield from self._of_batch(record.index, batch)
        if len(done) != len(self._executed):
            raise CallsError(f"the engine executed {len(self._executed)} batches, the log has {len(done)} of them")

    def _of_batch(self, index: int, batch: Batch) -> Iterator[ExecutedCall]:
        place = (batch.session, batch.sequence)
        calls = calls_of(self._layout, batch.records, batch.count, batch.blob)
        reply = parse_reply(self._executed[place])
        replies = replies_of(self._layout, calls, reply.records, reply.blob)
        told = self._told.of(place)
        for row in order_of(self._layout, calls):
            call = calls[row]
            yield ExecutedCall(index, call.command, call.arguments, replies[row], told.get(row, []))
