"""The asyncio driver against replicas on real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import struct

import pytest
from scripted_replica import ScriptedReplica, scripted_cluster

from psmr.client import AsyncConnection, ClientSettings, ServiceIdentity, connect
from psmr.core.reply import parse_reply
from psmr.errors import ClusterUnavailable, InvalidCall, OutcomeUnknown, Refused, ServiceMismatch

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
FOUR_AT_A_TIME = dataclasses.replace(UNHURRIED, call_batches=4)


def record(number: int) -> bytes:
    return struct.pack("<Q", number)


async def received(replica: ScriptedReplica, batches: int = 1) -> None:
    """Wait until the replica got so many more batches of commands."""
    for _ in range(batches):
        await asyncio.to_thread(replica.received.acquire)


def put_forward(us: int) -> None:
    """Put the event loop's clock forward."""
    loop = asyncio.get_running_loop()
    clock = loop.time
    loop.time = lambda: clock() + us / 1e6  # type: ignore[method-assign]


async def echo(connection: AsyncConnection, first: int, last: int) -> None:
    """Submit one batch a number, all at once, and check every reply; patiently, whatever the connection is."""
    futures = [connection.submit(record(number), 1, b"blob", PATIENCE_US) for number in range(first, last)]
    for number, raw in zip(range(first, last), await asyncio.gather(*futures), strict=True):
        reply = parse_reply(raw)
        assert (bytes(reply.records), bytes(reply.blob)) == (record(number), b"blob")


def numbers(executed: list[bytes]) -> list[int]:
    return [int.from_bytes(content[:8], "little") for content in executed]


def test_batches_are_answered_in_order_and_once() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (shared, replicas):
            async with await connect([replicas[0].address], SERVICE, PATIENT) as connection:
                assert connection.fingerprint == SERVICE.fingerprint
                await echo(connection, 0, 100)
            assert numbers(shared.executed) == list(range(100))

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["lose_submits", "lose_replies", "refuse"])
def test_what_is_lost_or_refused_is_retried_and_executed_once(fault: str) -> None:
    async def scenario() -> None:
        with scripted_cluster(2) as (shared, replicas):
            async with await connect([replicas[0].address], SERVICE, PATIENT) as connection:
                await echo(connection, 0, 5)
                for replica in replicas:
                    setattr(replica, fault, 3)
                await echo(connection, 5, 40)
            assert numbers(shared.executed) == list(range(40))

    asyncio.run(scenario())


def test_replies_that_come_twice_and_garbage_between_them_are_passed_over() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (shared, replicas):
            # Unhurried: garbage is passed over once the replica serves, but not taken for a welcome when it is dialled again.
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                replicas[0].copies = 3
                replicas[0].garbage = [[b"x" * 40], [b"\x09", b"?"], [b"\x01", b"?"], [b"", b"", b""], [b""]]
                await echo(connection, 0, 30)
            assert numbers(shared.executed) == list(range(30))

    asyncio.run(scenario())


def test_it_moves_to_the_leader_and_follows_it() -> None:
    async def scenario() -> None:
        with scripted_cluster(3, leader=2) as (shared, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                await echo(connection, 0, 5)
                assert [bool(replica.batches) for replica in replicas] == [False, False, True]
                for replica in replicas:
                    replica.leader = 1
                replicas[2].held = True
                futures = [connection.submit(record(number), 1) for number in range(5, 8)]
                await received(replicas[2], 5 + 3)
                replicas[2].move_leader(1)
                await asyncio.gather(*futures)
                assert len(replicas[1].batches) == 3
            assert numbers(shared.executed) == list(range(8))

    asyncio.run(scenario())


def test_it_stays_with_a_follower_when_the_leader_does_not_answer() -> None:
    async def scenario() -> None:
        with scripted_cluster(2, leader=1) as (shared, replicas):
            replicas[1].silent = True
            async with await connect([replicas[0].address], SERVICE, PATIENT) as connection:
                await echo(connection, 0, 5)
            assert replicas[1].hellos >= 1
            assert not replicas[1].batches
            assert numbers(shared.executed) == list(range(5))

    asyncio.run(scenario())


def test_it_leaves_a_replica_that_falls_silent() -> None:
    async def scenario() -> None:
        with scripted_cluster(3) as (shared, replicas):
            settings = dataclasses.replace(PATIENT, prefer_leader=False)
            async with await connect([replicas[0].address], SERVICE, settings) as connection:
                await echo(connection, 0, 3)
                replicas[0].silent = replicas[1].silent = True
                await echo(connection, 3, 12)
            assert numbers(shared.executed) == list(range(12))
            assert replicas[2].batches

    asyncio.run(scenario())


def test_another_service_is_named() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            replicas[0].mismatch = "expected fingerprint 1, found 2"
            with pytest.raises(ServiceMismatch, match="expected fingerprint 1, found 2"):
                await connect([replicas[0].address], SERVICE, PATIENT)

    asyncio.run(scenario())


def test_when_nobody_answers_it_says_whom_it_asked() -> None:
    async def scenario() -> None:
        with scripted_cluster(2) as (_, replicas):
            replicas[0].silent = True
            replicas[1].garbage = [[b"?", b"?"]]
            addresses = [replica.address for replica in replicas]
            connecting = asyncio.ensure_future(connect(addresses, SERVICE, PATIENT))
            # The first is greeted again once each was given up; then the time for connecting is over.
            for _ in range(2):
                await asyncio.to_thread(replicas[0].greeted.acquire)
            put_forward(PATIENCE_US)
            with pytest.raises(ClusterUnavailable) as caught:
                await connecting
            assert f"{addresses[0]}: no answer in 30 ms" in str(caught.value)
            assert f"{addresses[1]}: no message of this protocol" in str(caught.value)

    asyncio.run(scenario())


def test_a_deadline_tells_sent_from_never_sent() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, HASTY) as connection:
                await echo(connection, 0, 1)
                replicas[0].silent = True
                futures = [connection.submit(record(number), 1) for number in range(6)]
                outcomes = await asyncio.gather(*futures, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 4 + [ClusterUnavailable] * 2
                assert replicas[0].address in str(outcomes[-1])

    asyncio.run(scenario())


def test_an_evicted_session_is_replaced() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (shared, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                await echo(connection, 0, 3)
                shared.evict_all()
                futures = [connection.submit(record(number), 1) for number in range(3, 9)]
                outcomes = await asyncio.gather(*futures, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 4 + [memoryview] * 2
            assert numbers(shared.executed) == [0, 1, 2, 7, 8]

    asyncio.run(scenario())


def test_calls_of_one_turn_share_a_batch_and_get_their_own_replies() -> None:
    def rebase(content: bytes, base: int) -> bytes:
        offset, length = struct.unpack("<II", content)
        return struct.pack("<II", offset + base, length)

    async def call(connection: AsyncConnection, text: bytes) -> bytes:
        reply, blob = await connection.call(struct.pack("<II", 0, len(text)), text, rebase)
        offset, length = struct.unpack("<II", reply)
        return bytes(blob[offset : offset + length])

    async def scenario() -> None:
        with scripted_cluster(1) as (shared, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                await echo(connection, 0, 1)
                texts = [b"%d" % (number * number) for number in range(1_000)]
                assert await asyncio.gather(*(call(connection, text) for text in texts)) == texts
            assert [count for _, count in replicas[0].batches] == [1, 1_000]
            assert len(shared.executed) == 2

    asyncio.run(scenario())


def test_a_lone_call_goes_at_once_and_calls_behind_a_full_window_share_the_next_batch() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, FOUR_AT_A_TIME) as connection:
                await echo(connection, 0, 1)
                await received(replicas[0])
                replicas[0].held = True
                calls = []
                for number in range(4):
                    calls.append(connection.call(record(number)))
                    await received(replicas[0])
                calls += [connection.call(record(number)) for number in range(4, 40)]
                replicas[0].release()
                results = await asyncio.gather(*calls)
                assert [bytes(reply) for reply, _ in results] == [record(number) for number in range(40)]
            assert [count for _, count in replicas[0].batches] == [1, 1, 1, 1, 1, 36]

    asyncio.run(scenario())


def test_calls_made_while_a_batch_is_under_way_share_the_next_one() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                replicas[0].held = True
                first = connection.call(record(0))
                await received(replicas[0])
                calls = [first]
                for number in range(1, 40):
                    calls.append(connection.call(record(number)))
                    await asyncio.sleep(0)
                replicas[0].release()
                results = await asyncio.gather(*calls)
                assert [bytes(reply) for reply, _ in results] == [record(number) for number in range(40)]
            assert [count for _, count in replicas[0].batches] == [1, 39]

    asyncio.run(scenario())


def test_calls_that_wait_behind_a_dead_window_fail_at_their_deadline() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, HASTY) as connection:
                await echo(connection, 0, 1)
                replicas[0].silent = True
                sent = [connection.submit(record(number), 1) for number in range(5)]
                held = [connection.call(record(number)) for number in range(3)]
                outcomes = await asyncio.gather(*sent, *held, return_exceptions=True)
                assert {type(outcome) for outcome in outcomes[:4]} == {OutcomeUnknown}
                assert {type(outcome) for outcome in outcomes[4:]} == {ClusterUnavailable}

    asyncio.run(scenario())


def test_a_cancelled_call_leaves_its_neighbours_alone() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, UNHURRIED) as connection:
                calls = [connection.call(record(number)) for number in range(3)]
                calls[1].cancel()
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [tuple, asyncio.CancelledError, tuple]

    asyncio.run(scenario())


def test_more_than_the_queue_holds_is_refused_until_there_is_room() -> None:
    async def scenario() -> None:
        settings = dataclasses.replace(UNHURRIED, queue_batches=2, queue_calls=1)
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, settings) as connection:
                await echo(connection, 0, 1)
                replicas[0].held = True
                taken = [connection.submit(record(number), 1) for number in range(4 + 2)]
                with pytest.raises(Refused, match="queued"):
                    await connection.submit(record(9), 1)
                waiting_call = connection.call(record(7))
                with pytest.raises(Refused, match="waiting"):
                    await connection.call(record(8))
                room = asyncio.ensure_future(connection.room())
                replicas[0].release()
                await room
                # The call that waits becomes a batch of its own and may take the room first: once it is answered, nothing waits.
                await asyncio.gather(*taken, waiting_call)
                await connection.submit(record(9), 1)

    asyncio.run(scenario())


def test_what_fits_no_batch_is_the_callers_fault() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            async with await connect([replicas[0].address], SERVICE, PATIENT) as connection:
                for records, count, blob in ((b"", 0, b""), (bytes(8), 2, b""), (bytes(8), 1, bytes(16 << 20))):
                    with pytest.raises(InvalidCall):
                        await connection.submit(records, count, blob)
                with pytest.raises(InvalidCall, match="record of 8 bytes"):
                    await connection.call(bytes(9))
                with pytest.raises(InvalidCall, match="fits a batch"):
                    await connection.call(bytes(8), bytes(16 << 20))
                await echo(connection, 0, 1)

    asyncio.run(scenario())


def test_closing_fails_what_is_under_way_and_what_comes_later() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            connection = await connect([replicas[0].address], SERVICE, UNHURRIED)
            await echo(connection, 0, 1)
            replicas[0].held = True
            futures = [connection.submit(record(number), 1) for number in range(5)]
            held = connection.call(record(5))
            connection.close()
            connection.close()
            later = [connection.submit(record(6), 1), connection.call(record(7))]
            outcomes = await asyncio.gather(*futures, held, *later, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 4 + [ClusterUnavailable] * 4

    asyncio.run(scenario())


def test_no_batch_has_more_calls_than_the_service_takes() -> None:
    async def scenario() -> None:
        with scripted_cluster(1) as (_, replicas):
            few = dataclasses.replace(SERVICE, rows_max=8)
            async with await connect([replicas[0].address], few, PATIENT) as connection:
                answers = await asyncio.gather(*(connection.call(record(number)) for number in range(30)))
            assert [bytes(answer) for answer, _ in answers] == [record(number) for number in range(30)]
            assert [count for _, count in replicas[0].batches] == [8, 8, 8, 6]

    asyncio.run(scenario())
