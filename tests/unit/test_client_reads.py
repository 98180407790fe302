"""Reads through the drivers: beside the session, in a window of their own, or in the log if the client says so."""

from __future__ import annotations

import asyncio
import dataclasses
import struct

import pytest
from scripted_replica import ScriptedReplica, scripted_cluster

from psmr.client import ClientSettings, ServiceIdentity, connect, connect_blocking
from psmr.core.reply import parse_reply
from psmr.errors import ClusterUnavailable, InvalidCall

SERVICE = ServiceIdentity("Echo", 0xEC40, 8)
PATIENCE_US = 60_000_000
UNHURRIED = ClientSettings(
    window_batches=4,
    retry_us=PATIENCE_US,
    retry_us_max=PATIENCE_US,
    timeout_us=PATIENCE_US,
    connect_timeout_us=PATIENCE_US,
)
FOUR_AT_A_TIME = dataclasses.replace(UNHURRIED, call_batches=4)
HASTY = dataclasses.replace(UNHURRIED, timeout_us=150_000)
PATIENT = dataclasses.replace(UNHURRIED, retry_us=50_000, pause_us=1_000)
IN_LOG = dataclasses.replace(UNHURRIED, reads_in_log=True)


def record(number: int) -> bytes:
    return struct.pack("<Q", number)


async def received(replica: ScriptedReplica) -> None:
    await asyncio.get_running_loop().run_in_executor(None, replica.received.acquire)


def test_reads_come_back_and_leave_no_session() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (shared, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                replies = await asyncio.gather(*(connection.read(record(number), 1) for number in range(10)))
                assert [bytes(parse_reply(reply).records) for reply in replies] == [record(n) for n in range(10)]
            assert replicas[0].reads == [(0, 0, 1)] * 10
            assert replicas[0].batches == []
            assert len(shared.sessions) == 0

    asyncio.run(scenario())


def test_single_reads_of_one_turn_share_a_batch_after_the_calls_before_them() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                await connection.call(record(0))
                calls = [connection.call(record(number)) for number in range(1, 6)]
                reads = [connection.call_read(record(number)) for number in range(100, 150)]
                results = await asyncio.gather(*calls, *reads)
                assert [bytes(reply) for reply, _ in results[5:]] == [record(number) for number in range(100, 150)]
            assert [count for _, count in replicas[0].batches] == [1, 5]
            assert [(sequence, count) for _, sequence, count in replicas[0].reads] == [(2, 50)]

    asyncio.run(scenario())


def test_reads_wait_for_calls_that_a_full_window_holds() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, FOUR_AT_A_TIME) as connection:
                await connection.call(record(0))
                await received(replicas[0])
                replicas[0].held = True
                calls = []
                for number in range(4):
                    calls.append(connection.call(record(number)))
                    await received(replicas[0])
                calls += [connection.call(record(4)), connection.call_read(record(5))]
                replicas[0].release()
                await asyncio.gather(*calls)
            assert [(sequence, count) for _, sequence, count in replicas[0].reads] == [(6, 1)]

    asyncio.run(scenario())


def test_with_reads_in_the_log_there_are_no_reads() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, IN_LOG) as connection:
                await connection.read(record(1), 1)
                await asyncio.gather(connection.call(record(2)), connection.call_read(record(3)))
            assert replicas[0].reads == []
            assert replicas[0].batches == [(1, 1), (2, 2)]

    asyncio.run(scenario())


def test_a_read_that_is_lost_or_refused_is_sent_again() -> None:
    async def scenario() -> None:
        with scripted_cluster(2) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, PATIENT) as connection:
                replicas[0].lose_submits = 1
                replicas[1].refuse = 2
                assert bytes(parse_reply(await connection.read(record(7), 1)).records) == record(7)

    asyncio.run(scenario())


def test_a_read_that_nobody_answers_fails_as_unavailable() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, HASTY) as connection:
                replicas[0].silent = True
                outcomes = await asyncio.gather(
                    connection.read(record(1), 1), connection.call_read(record(2)), return_exceptions=True
                )
                assert [type(outcome) for outcome in outcomes] == [ClusterUnavailable] * 2

    asyncio.run(scenario())


def test_what_fits_no_batch_is_the_callers_fault() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                with pytest.raises(InvalidCall):
                    await connection.read(bytes(8), 2)
                with pytest.raises(InvalidCall, match="record of 8 bytes"):
                    await connection.call_read(bytes(9))

    asyncio.run(scenario())


def test_closing_fails_reads_too() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            connection = await connect([replicas[0].address], SERVICE, UNHURRIED)
            replicas[0].silent = True
            futures = [connection.read(record(1), 1), connection.call_read(record(2))]
            connection.close()
            outcomes = await asyncio.gather(*futures, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [ClusterUnavailable] * 2

    asyncio.run(scenario())


def test_blocking_reads_are_pipelined() -> None:
    with scripted_cluster(1) as (_, replicas):
        with connect_blocking([replicas[0].address], SERVICE, UNHURRIED) as connection:
            pending = [connection.read(record(number), 1) for number in range(20)]
            assert [bytes(parse_reply(one.result()).records) for one in pending] == [record(n) for n in range(20)]
        assert len(replicas[0].reads) == 20
        assert replicas[0].batches == []
