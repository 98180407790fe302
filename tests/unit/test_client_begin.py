"""Single calls begun without waiting, on a blocking connection: gathered, ordered, answered one by one."""

from __future__ import annotations

import dataclasses

import pytest
from scripted_replica import scripted_cluster

from apps.book import Book
from apps.exchange import Exchange
from apps.kv import KV
from cdep import service_of
from proxies.layout import layout_of
from psmr.client.blocking import BlockingConnection, PendingCall, connect_blocking
from psmr.client.coalescing import OVERHEAD_BYTES
from psmr.client.commands import CommandProxy
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.batch import RECORDS_MAX
from psmr.core.event_format import rows_max
from psmr.errors import ClusterUnavailable, InvalidCall, OutcomeUnknown

SERVICE = ServiceIdentity("Echo", 0xEC40, 8)
PATIENCE_US = 60_000_000
PATIENT = ClientSettings(
    retry_us=PATIENCE_US, retry_us_max=PATIENCE_US, timeout_us=PATIENCE_US, connect_timeout_us=PATIENCE_US
)
HASTY = dataclasses.replace(PATIENT, timeout_us=150_000)


def record(number: int) -> bytes:
    return number.to_bytes(8, "little")


def as_it_is(record: bytes, base: int) -> bytes:
    return record


def moved(record: bytes, base: int) -> bytes:
    return base.to_bytes(8, "little")


def begin(connection: BlockingConnection, number: int) -> PendingCall:
    return connection.call(record(number), b"", as_it_is)


def answers(calls: list[PendingCall]) -> list[bytes]:
    return [bytes(call.result()[0]) for call in calls]


def test_the_first_goes_at_once_and_the_others_share_the_next_batch() -> None:
    with (
        scripted_cluster(1) as (_, replicas),
        connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection,
    ):
        assert answers([begin(connection, 99)]) == [record(99)]
        assert replicas[0].received.acquire(timeout=60)
        replicas[0].held = True
        calls = [begin(connection, number) for number in range(30)]
        assert replicas[0].received.acquire(timeout=60)
        assert not any(call.done for call in calls)
        replicas[0].release()
        assert answers(calls) == [record(number) for number in range(30)]
        assert all(call.done for call in calls)
        assert answers(calls[:2]) == [record(0), record(1)]
    assert [count for _, count in replicas[0].batches] == [1, 1, 29]


def test_every_call_is_answered_however_many_are_begun() -> None:
    with (
        scripted_cluster(1) as (shared, replicas),
        connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection,
    ):
        calls = [begin(connection, number) for number in range(1000)]
        assert answers(calls[::-1]) == [record(number) for number in range(1000)][::-1]
    assert b"".join(shared.executed) == b"".join(record(number) for number in range(1000))


def test_a_batch_submitted_later_comes_later_and_reads_come_after_the_calls_before_them() -> None:
    with (
        scripted_cluster(1) as (shared, replicas),
        connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection,
    ):
        replicas[0].held = True
        calls = [begin(connection, number) for number in range(5)]
        read = connection.call_read(record(7), b"", as_it_is)
        column = connection.submit(record(5) + record(6), 2)
        assert bytes(read.result()[0]) == record(7)
        replicas[0].release()
        column.result()
        assert answers(calls) == [record(number) for number in range(5)]
    assert b"".join(shared.executed) == b"".join(record(number) for number in range(7))
    assert [sequence for _, sequence, _ in replicas[0].reads] == [2]


def test_blobs_lie_one_behind_the_other() -> None:
    with (
        scripted_cluster(1) as (_, replicas),
        connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection,
    ):
        replicas[0].held = True
        calls = [connection.call(record(9), blob, moved) for blob in (b"alone", b"one", b"two", b"", b"three")]
        replicas[0].release()
        found = [(int.from_bytes(call.result()[0], "little"), bytes(call.result()[1])) for call in calls]
    assert found == [(0, b"alone"), (0, b"onetwothree"), (3, b"onetwothree"), (9, b"onetwothree"), (6, b"onetwothree")]


def test_no_batch_is_larger_than_the_replica_takes_whether_its_calls_are_handed_over_or_appended() -> None:
    with scripted_cluster(1) as (shared, replicas):
        replicas[0].batch_bytes_max = OVERHEAD_BYTES + 10 * len(record(0))
        with connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection:
            gathering = connection.gathering(is_read=False)
            calls = []
            for number in range(100):
                if number % 3:
                    calls.append(PendingCall(gathering.ticket, len(gathering)))
                    gathering.records.append(record(number))
                    if len(gathering) >= gathering.look_at:
                        gathering.look()
                else:
                    calls.append(begin(connection, number))
            assert answers(calls) == [record(number) for number in range(100)]
    assert b"".join(shared.executed) == b"".join(record(number) for number in range(100))
    assert max(count for _, count in replicas[0].batches) <= 10


def test_calls_that_were_never_sent_fail_at_their_deadline_or_when_the_connection_is_closed() -> None:
    with scripted_cluster(1) as (_, replicas):
        connection = connect_blocking([replicas[0].address], SERVICE, HASTY)
        replicas[0].silent = True
        sent, held = begin(connection, 1), begin(connection, 2)
        for call in (sent, held):
            with pytest.raises((ClusterUnavailable, OutcomeUnknown)):
                call.result()
        sent, held = begin(connection, 3), begin(connection, 4)
        connection.close()
        for call in (sent, held):
            with pytest.raises((ClusterUnavailable, OutcomeUnknown)):
                call.result()


def test_a_call_that_fits_no_batch_is_the_callers_fault() -> None:
    with (
        scripted_cluster(1) as (_, replicas),
        connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection,
    ):
        with pytest.raises(InvalidCall, match="a call that fits a batch, found a blob of 16777216 bytes"):
            connection.call(record(0), bytes(16 << 20), as_it_is)
        assert answers([begin(connection, 1)]) == [record(1)]


def test_no_batch_has_more_calls_than_the_service_takes() -> None:
    few = dataclasses.replace(SERVICE, rows_max=8)
    with scripted_cluster(1) as (_, replicas), connect_blocking([replicas[0].address], few, PATIENT) as connection:
        replicas[0].held = True
        calls = [begin(connection, number) for number in range(30)]
        replicas[0].release()
        assert answers(calls) == [record(number) for number in range(30)]
    counts = [count for _, count in replicas[0].batches]
    assert sum(counts) == 30
    assert max(counts) <= 8


def test_a_batch_of_a_service_with_events_has_fewer_rows() -> None:
    assert [rows_max(service_of(owner)) for owner in (KV, Book, Exchange)] == [RECORDS_MAX, 65_536, 32_768]
    service = service_of(Book)
    layout = next(each for each in layout_of(service).commands if len(each.command.parameters) == 1)
    with pytest.raises(
        InvalidCall, match=r"^Book\.\w+: expected at most 65536 rows .*found 65537 rows .*make several calls"
    ):
        CommandProxy(service, layout).many(([1] * 65_537,))
