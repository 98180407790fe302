"""Reads beside the log: executed in their place between its entries, and without a trace in state or sessions."""

from __future__ import annotations

import select
from collections.abc import Iterator

import numpy as np
import pytest

from apps.kv import IntegerKV
from cdep import service_of
from proxies.encoding import CommandEncoder, widened
from proxies.layout import layout_of
from psmr.core.batch import KIND_COMMANDS, KIND_READ, Batch, encode, encode_open, parse_whole
from psmr.core.reply import BatchStatus, Reply, parse_reply
from psmr.core.sessions import Sessions
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.delivery import Delivery
from psmr.replica.reads import Read

SERVICE = service_of(IntegerKV)
LAYOUT = layout_of(SERVICE)
SESSION = 65_536
KEYS = np.arange(64, dtype=np.uint64)


def rows(command: str, *columns: object) -> bytes:
    layout = next(layout for layout in LAYOUT.commands if layout.command.name == command)
    encoded = CommandEncoder(SERVICE, layout).columns(columns)
    return widened(encoded.records, encoded.count, LAYOUT.stride)


def encoded(kind: int, sequence: int, answered: int, records: bytes) -> bytes:
    count = len(records) // LAYOUT.stride
    return encode(kind, SERVICE.fingerprint, SESSION, sequence, answered, LAYOUT.stride, records, count, b"")


def puts(sequence: int, value: int) -> bytes:
    return encoded(KIND_COMMANDS, sequence, 0, rows("put", KEYS, np.full(64, value, np.uint64)))


def gets(number: int, records: bytes | None = None) -> Batch:
    return parse_whole(encoded(KIND_READ, 0, number, rows("get", KEYS) if records is None else records))


def found(reply: Reply) -> set[int]:
    wide = np.frombuffer(reply.records, np.uint8).reshape(reply.count, reply.stride)[:, 8:16]
    return set(np.ascontiguousarray(wide).view("<u8").ravel().tolist())


class Bench:
    """A delivery that is fed by hand."""

    def __init__(self, workers: int) -> None:
        self.engine = Engine(IntegerKV, workers, choose=lambda synchronous, count: workers)
        self.engine.start()
        self.delivery = Delivery(Sessions(), self.engine)
        self.replies: list[Reply] = []
        self.connections: list[bytes | None] = []

    def entry(self, payload: bytes) -> None:
        index = self.delivery.delivered + 1
        self.delivery.deliver([Entry(index, 1_000 * index, memoryview(payload))])

    def read(self, batch: Batch, connection: bytes = b"reader") -> None:
        self.delivery.read(Read(connection, batch, 0))

    def finish(self) -> None:
        while True:
            for answer in self.delivery.collect():
                self.replies.append(parse_reply(answer.reply))
                self.connections.append(answer.connection)
            if self.delivery.idle:
                return
            if self.engine.want_bell():
                ready, _, _ = select.select([self.engine.bell, *self.engine.sentinels], [], [], 60)
                assert ready, "expected the workers to go on"
                self.engine.silence_bell()

    def digests(self) -> tuple[int, int]:
        return self.engine.digest(), self.delivery.sessions.digest()


@pytest.fixture(params=[1, 3])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    made.entry(encode_open(SERVICE.fingerprint, 9))
    yield made
    made.engine.close()


def test_a_read_sees_what_was_delivered_before_it_and_nothing_later(bench: Bench) -> None:
    for value in range(1, 30):
        bench.entry(puts(value, value))
        bench.read(gets(value), b"reader %d" % value)
    bench.finish()
    reads = [reply for reply in bench.replies if reply.status is BatchStatus.READ]
    assert [reply.sequence for reply in reads] == list(range(1, 30))
    assert [found(reply) for reply in reads] == [{value} for value in range(1, 30)]
    assert [to for to in bench.connections if to] == [b"reader %d" % value for value in range(1, 30)]
    assert bench.delivery.counts.reads == 29 * 64


def test_reads_leave_no_trace(bench: Bench) -> None:
    plain = Bench(1)
    try:
        plain.entry(encode_open(SERVICE.fingerprint, 9))
        for value in range(1, 10):
            plain.entry(puts(value, value))
            bench.read(gets(value))
            bench.entry(puts(value, value))
            bench.read(gets(value))
        plain.finish()
        bench.finish()
        assert bench.digests() == plain.digests()
        assert bench.delivery.counts.commands == plain.delivery.counts.commands
    finally:
        plain.engine.close()


def test_a_read_that_no_worker_can_take_is_malformed_and_stops_nobody(bench: Bench) -> None:
    bench.entry(puts(1, 1))
    bench.read(gets(1, records=b"\xff" * LAYOUT.stride))
    bench.read(gets(2))
    bench.finish()
    assert [reply.status for reply in bench.replies if reply.sequence == 1 and reply.status > 5] == [
        BatchStatus.READ_MALFORMED
    ]
    assert [found(reply) for reply in bench.replies if reply.status is BatchStatus.READ] == [{1}]


def test_a_read_in_the_log_is_malformed_and_executed_by_nobody(bench: Bench) -> None:
    bench.entry(puts(1, 1) + encoded(KIND_READ, 0, 1, rows("get", KEYS)) + puts(2, 2))
    bench.finish()
    assert [reply.status for reply in bench.replies].count(BatchStatus.EXECUTED) == 2
    assert BatchStatus.READ not in {reply.status for reply in bench.replies}
    assert bench.delivery.counts.malformed == 1
