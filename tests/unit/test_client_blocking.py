"""The blocking driver, and asking for status, against replicas on real sockets."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from scripted_replica import scripted_cluster

from psmr.client import BlockingConnection, ClientSettings, ServiceIdentity, connect_blocking, fetch_status
from psmr.core.reply import parse_reply
from psmr.errors import ClusterUnavailable, InvalidCall, OutcomeUnknown, ServiceMismatch

SERVICE = ServiceIdentity("Echo", 0xFEED, 8)
PATIENCE_US = 60_000_000
PATIENT = ClientSettings(
    retry_us=30_000,
    retry_us_max=120_000,
    pause_us=1_000,
    window_batches=4,
    timeout_us=PATIENCE_US,
    connect_timeout_us=PATIENCE_US,
)
HASTY = dataclasses.replace(PATIENT, timeout_us=500_000)
UNHURRIED = dataclasses.replace(PATIENT, retry_us=30_000_000, retry_us_max=30_000_000)


def record(number: int) -> bytes:
    return struct.pack("<Q", number)


def echo(connection: BlockingConnection, first: int, last: int) -> None:
    """Submit one batch a number, pipelined, and check every reply; patiently, whatever the connection is."""
    pending = [connection.submit(record(number), 1, b"blob", PATIENCE_US) for number in range(first, last)]
    for number, submitted in zip(range(first, last), pending, strict=True):
        reply = parse_reply(submitted.result())
        assert (bytes(reply.records), bytes(reply.blob)) == (record(number), b"blob")


def numbers(executed: list[bytes]) -> list[int]:
    return [int.from_bytes(content[:8], "little") for content in executed]


def test_batches_are_pipelined_answered_in_order_and_once() -> None:
    with scripted_cluster(1) as (shared, replicas):
        with connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection:
            assert connection.fingerprint == SERVICE.fingerprint
            echo(connection, 0, 100)
        assert numbers(shared.executed) == list(range(100))


def test_results_may_be_asked_for_in_any_order_and_again() -> None:
    with (
        scripted_cluster(1) as (_, replicas),
        connect_blocking([replicas[0].address], SERVICE, UNHURRIED) as connection,
    ):
        replicas[0].held = True
        first, second = connection.submit(record(1), 1), connection.submit(record(2), 1)
        assert not first.done
        replicas[0].release()
        assert bytes(parse_reply(second.result()).records) == record(2)
        assert first.done
        assert first.result() is first.result()


@pytest.mark.parametrize("fault", ["lose_submits", "lose_replies", "refuse"])
def test_what_is_lost_or_refused_is_retried_and_executed_once(fault: str) -> None:
    with scripted_cluster(2) as (shared, replicas):
        with connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection:
            echo(connection, 0, 5)
            for replica in replicas:
                setattr(replica, fault, 3)
            echo(connection, 5, 40)
        assert numbers(shared.executed) == list(range(40))


def test_it_leaves_a_replica_that_falls_silent() -> None:
    with scripted_cluster(2) as (shared, replicas):
        with connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection:
            echo(connection, 0, 3)
            replicas[0].silent = True
            echo(connection, 3, 12)
        assert numbers(shared.executed) == list(range(12))
        assert replicas[1].batches


def test_it_moves_to_the_leader() -> None:
    with scripted_cluster(3, leader=2) as (_, replicas):
        with connect_blocking([replicas[0].address], SERVICE, UNHURRIED) as connection:
            echo(connection, 0, 5)
        assert [bool(replica.batches) for replica in replicas] == [False, False, True]


def test_a_full_queue_makes_the_caller_wait() -> None:
    settings = dataclasses.replace(UNHURRIED, queue_batches=1)
    with scripted_cluster(1) as (_, replicas), connect_blocking([replicas[0].address], SERVICE, settings) as connection:
        echo(connection, 0, 50)


def test_a_deadline_tells_sent_from_never_sent() -> None:
    with scripted_cluster(1) as (_, replicas), connect_blocking([replicas[0].address], SERVICE, HASTY) as connection:
        echo(connection, 0, 1)
        replicas[0].silent = True
        pending = [connection.submit(record(number), 1) for number in range(5)]
        for submitted in pending[:4]:
            with pytest.raises(OutcomeUnknown):
                submitted.result()
        with pytest.raises(ClusterUnavailable, match=replicas[0].address):
            pending[4].result()


def test_another_service_is_named() -> None:
    with scripted_cluster(1) as (_, replicas):
        replicas[0].mismatch = "expected fingerprint 1, found 2"
        with pytest.raises(ServiceMismatch, match="expected fingerprint 1, found 2"):
            connect_blocking([replicas[0].address], SERVICE, PATIENT)


def test_when_nobody_answers_it_says_whom_it_asked() -> None:
    with scripted_cluster(1) as (_, replicas):
        replicas[0].silent = True
        settings = dataclasses.replace(PATIENT, connect_timeout_us=1_000_000)
        with pytest.raises(ClusterUnavailable, match=rf"{replicas[0].address}: no answer in \d+ ms"):
            connect_blocking([replicas[0].address], SERVICE, settings)


def test_what_fits_no_batch_is_the_callers_fault() -> None:
    with scripted_cluster(1) as (_, replicas), connect_blocking([replicas[0].address], SERVICE, PATIENT) as connection:
        with pytest.raises(InvalidCall, match=r"a stride that is a multiple of 8 .* found 4"):
            connection.submit(bytes(8), 2)
        echo(connection, 0, 1)


def test_closing_fails_what_is_under_way_and_what_comes_later() -> None:
    with scripted_cluster(1) as (_, replicas):
        connection = connect_blocking([replicas[0].address], SERVICE, UNHURRIED)
        echo(connection, 0, 1)
        replicas[0].held = True
        pending = connection.submit(record(1), 1)
        connection.close()
        connection.close()
        with pytest.raises(OutcomeUnknown):
            pending.result()
        with pytest.raises(ClusterUnavailable, match="closed"):
            connection.submit(record(2), 1).result()


def test_status_is_asked_without_a_session() -> None:
    with scripted_cluster(2) as (shared, replicas):
        replicas[1].garbage = [[b"?"]]
        assert fetch_status(replicas[0].address, timeout_us=PATIENCE_US) == {"replica": 0, "digest": False}
        digest = fetch_status(replicas[1].address, digest=True, timeout_us=PATIENCE_US)
        assert digest == {"replica": 1, "digest": True}
        assert len(shared.sessions) == 0
        replicas[0].silent = True
        with pytest.raises(ClusterUnavailable, match="expected a status within 20 ms, heard nothing"):
            fetch_status(replicas[0].address, timeout_us=20_000)
