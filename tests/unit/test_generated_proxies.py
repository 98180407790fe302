"""Generated clients: what they send, what they refuse to send, and what they make of the answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from ledger_support import AsyncLoopback, BlockingLoopback, Ledger

import psmr
from cdep import Call, mask
from cdep import service_of as service
from proxies.layout import layout_of
from psmr import proxy_files
from psmr.client import async_client, blocking_client
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.batch import RECORDS_MAX
from psmr.core.reply import BatchStatus, MalformedReply, encode_reply
from psmr.errors import CommandRaised, ConfigurationError, InvalidCall


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("PSMR_CACHE", str(folder))
        yield folder


@pytest.fixture
def clients(cache: Path) -> ModuleType:
    return proxy_files.client_module(Ledger)


def test_an_asynchronous_client(clients: ModuleType) -> None:
    async def session() -> None:
        async with clients.AsyncLedger(AsyncLoopback()) as ledger:
            assert await ledger.add(b"ann", 5) is True
            assert await ledger.add(b"ann", 2) is False
            assert (await ledger.balance(b"ann"), await ledger.balance(b"bob")) == (7, None)
            assert (await ledger.echo(b"hello"), await ledger.echo(b"")) == (b"hello", None)
            assert (await ledger.clear(), await ledger.total()) == (None, 0)
            with pytest.raises(CommandRaised, match=r"^ValueError: below zero$"):
                await ledger.add(b"ann", -1)
            many = await ledger.add.many([b"ann", b"bob", b"ann"], np.array([1, 2, 3]))
            assert many.check().values.tolist() == [True, True, False]
            assert list(await ledger.balance.many([b"bob", b"x", b"ann"])) == [2, None, 4]
            assert list(await ledger.total.many(2)) == [2, 2]
            assert len(await ledger.balance.many([])) == 0
        assert ledger._driver.closed == 1

    asyncio.run(session())


def test_a_call_is_on_its_way_before_it_is_awaited(clients: ModuleType) -> None:
    async def session() -> None:
        driver = AsyncLoopback()
        ledger = clients.AsyncLedger(driver)
        answers = [ledger.add(b"a", 1), ledger.add.many([b"b"], [2]), ledger.total()]
        assert driver.batches == [[("add", b"a", 1)], [("add", b"b", 2)], [("total",)]]
        first, second, third = await asyncio.gather(*answers)
        assert (first, list(second), third) == (True, [True], 2)

    asyncio.run(session())


def test_a_blocking_client(clients: ModuleType) -> None:
    with clients.BlockingLedger(BlockingLoopback()) as ledger:
        assert ledger.add(b"ann", 5) is True
        assert (ledger.balance(b"ann"), ledger.balance(b"bob")) == (5, None)
        under_way = [ledger.add.submit([b"bob"], [1]), ledger.balance.submit([b"bob", b"ann"]), ledger.clear.submit(1)]
        assert [list(pending.result()) for pending in under_way] == [[True], [1, 5], [None]]
        assert list(ledger.echo.many([b"x", b"", b"yz"])) == [b"x", None, b"yz"]
        assert list(ledger.echo.submit([]).result()) == []
        with pytest.raises(CommandRaised, match=r"^ValueError: below zero$"):
            ledger.add(b"ann", -1)
    assert ledger._driver.closed == 1


def test_a_batch_is_one_batch_in_order(clients: ModuleType) -> None:
    driver = BlockingLoopback()
    batch = clients.BlockingLedger(driver).batch()
    batch.add(b"ann", 5)
    batch.add([b"bob", b"cyd"], [1, 2])
    batch.balance(b"ann")
    batch.balance([])
    batch.clear()
    batch.total(count=2)
    batch.echo([b"x", b"yz"])
    assert len(batch) == 9
    replies = batch.send()
    assert [list(found) for found in replies] == [[True], [True, True], [5], [], [None], [0, 0], [b"x", b"yz"]]
    assert len(driver.batches) == 1
    assert driver.batches[0][:4] == [("add", b"ann", 5), ("add", b"bob", 1), ("add", b"cyd", 2), ("balance", b"ann")]
    with pytest.raises(InvalidCall, match="found a sent one; make another with batch"):
        batch.send()
    with pytest.raises(InvalidCall, match="found a sent one; make another with batch"):
        batch.clear()


def test_commands_that_read_are_sent_as_reads(clients: ModuleType) -> None:
    driver = BlockingLoopback()
    ledger = clients.BlockingLedger(driver)
    for call in (
        lambda: ledger.balance(b"ann"),
        lambda: ledger.balance.many([b"ann", b"bob"]),
        lambda: ledger.balance.submit([b"ann"]).result(),
        lambda: ledger.total(),
    ):
        before = driver.reads
        call()
        assert driver.reads == before + 1
    before = driver.reads
    ledger.add(b"ann", 1)
    ledger.add.many([b"bob"], [2])
    ledger.echo(b"x")
    ledger.clear()
    assert driver.reads == before


def test_commands_that_read_are_sent_as_reads_asynchronously(clients: ModuleType) -> None:
    async def session() -> None:
        driver = AsyncLoopback()
        ledger = clients.AsyncLedger(driver)
        await ledger.balance(b"ann")
        await ledger.balance.many([b"ann", b"bob"])
        assert driver.reads == 2
        await ledger.add(b"ann", 1)
        await ledger.add.many([b"bob"], [2])
        assert driver.reads == 2

    asyncio.run(session())


def test_a_batch_is_a_read_if_everything_in_it_reads(clients: ModuleType) -> None:
    driver = BlockingLoopback()
    ledger = clients.BlockingLedger(driver)
    batch = ledger.batch()
    batch.balance([b"ann", b"bob"])
    batch.total()
    batch.send()
    assert driver.reads == 1
    mixed = ledger.batch()
    mixed.balance(b"ann")
    mixed.add(b"ann", 1)
    mixed.send()
    assert driver.reads == 1


def test_an_asynchronous_batch(clients: ModuleType) -> None:
    async def session() -> None:
        ledger = clients.AsyncLedger(AsyncLoopback())
        batch = ledger.batch()
        batch.add(b"ann", 5)
        batch.balance([b"ann", b"bob"])
        assert [list(found) for found in await batch.send()] == [[True], [5, None]]
        assert await ledger.batch().send() == []
        assert len(ledger._driver.batches) == 1

    asyncio.run(session())


def test_a_batch_refuses_what_does_not_fit_and_stays_as_it_was(clients: ModuleType) -> None:
    batch = clients.BlockingLedger(BlockingLoopback()).batch()
    batch.add(b"ann", 5)
    with pytest.raises(InvalidCall, match=r"Ledger\.add: expected single values or columns, found both"):
        batch.add([b"bob"], 1)
    with pytest.raises(InvalidCall, match=r"parameter 'name', row 1: expected at most 8 bytes, found 9 bytes"):
        batch.add([b"bob", b"too long!"], [1, 2])
    assert len(batch) == 1
    assert [list(found) for found in batch.send()] == [[True]]


def test_a_call_is_begun_and_its_reply_asked_for_later(clients: ModuleType) -> None:
    driver = BlockingLoopback()
    ledger = clients.BlockingLedger(driver)
    begun = [ledger.add.begin(b"ann", 5), ledger.add.begin(b"ann", 2**70 % 7)]
    assert [pending.done for pending in begun] == [True, True]
    assert [pending.result() for pending in begun] == [True, False]
    assert ledger.balance.begin(b"ann").result() == ledger.balance(b"ann") == 5 + 2**70 % 7
    assert driver.reads == 2
    with pytest.raises(InvalidCall, match="parameter 'amount'"):
        ledger.add.begin(b"ann", 2**63)


def test_calls_of_several_commands_that_share_a_batch_are_answered_each_its_own(clients: ModuleType) -> None:
    driver = BlockingLoopback(batch_calls=60)
    ledger = clients.BlockingLedger(driver)
    begun: list[Any] = []
    for number in range(15):
        name = b"n%d" % (number % 4)
        begun += [ledger.add.begin(name, number), ledger.balance.begin(name), ledger.total.begin()]
        assert not begun[0].done
        begun.append(ledger.echo.begin(name) if number % 2 else ledger.balance.begin(b"nobody"))
    assert begun[0].done
    assert driver.batches[0][2] == ("total",)
    twin = clients.BlockingLedger(BlockingLoopback())
    expected = []
    for number in range(15):
        name = b"n%d" % (number % 4)
        expected += [twin.add(name, number), twin.balance(name), twin.total()]
        expected.append(twin.echo(name) if number % 2 else None)
    assert [pending.result() for pending in begun] == expected
    assert [pending.result() for pending in begun[::-1]] == expected[::-1]


def test_where_one_of_a_batch_raises_the_others_are_answered(clients: ModuleType) -> None:
    ledger = clients.BlockingLedger(BlockingLoopback(batch_calls=20))
    begun = [ledger.add.begin(b"ann", -99 if number == 7 else 1) for number in range(20)]
    assert begun[0].result()
    for _ in range(2):
        with pytest.raises(CommandRaised, match="ValueError: below zero"):
            begun[7].result()
    found = [pending.result() for number, pending in enumerate(begun) if number != 7]
    assert found == [True, *[False] * 18]


def test_a_batch_has_a_limit(clients: ModuleType) -> None:
    batch = clients.BlockingLedger(BlockingLoopback()).batch()
    batch.clear(400_000)
    with pytest.raises(
        InvalidCall, match=r"batch with Ledger\.add: expected at most .* found 700000 rows and 18000000 "
    ):
        batch.add([b"name"] * 300_000, [1] * 300_000)
    assert len(batch) == 400_000


def test_nothing_is_sent_when_an_argument_does_not_fit(clients: ModuleType) -> None:
    ledger = clients.BlockingLedger(BlockingLoopback())
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: ledger.add(b"ann", 2**63), "parameter 'amount': expected an int from"),
        (lambda: ledger.add("ann", 1), "parameter 'name': expected at most 8 bytes, found str 'ann'"),
        (lambda: ledger.add.many([b"a"], [1, 2]), "expected columns of one length, found name: 1, amount: 2"),
        (lambda: ledger.add.many([b"a"], [0.5]), "row 0: expected an int"),
        (lambda: ledger.clear.many(RECORDS_MAX + 1), f"expected at most {RECORDS_MAX} rows and 16777"),
        (lambda: ledger.echo.many([b"12345678"] * 800_000), "found 800000 rows and 19200000 bytes; make several calls"),
        (lambda: ledger.clear.many("2"), "expected how many calls, an int, found '2'"),
    ]
    for call, words in refused:
        with pytest.raises(InvalidCall) as caught:
            call()
        assert words in str(caught.value)
        assert str(caught.value).startswith("Ledger.")
    assert ledger._driver.batches == []


def test_groups_are_those_of_c_g(clients: ModuleType) -> None:
    ledger = clients.BlockingLedger(BlockingLoopback())
    assert ledger.balance.groups(b"ann") == mask(service(Ledger), Call("balance", {"name": b"ann"}), 0)
    assert ledger.add.groups(b"", 3) == mask(service(Ledger), Call("add", {"name": b""}), 0)
    assert (ledger.clear.groups(), ledger.echo.groups(b"x")) == (2**64 - 1, 1)


def test_replies_of_which_some_raised(clients: ModuleType) -> None:
    ledger = clients.BlockingLedger(BlockingLoopback())
    replies = ledger.add.many([b"a", b"b", b"a", b"c"], [1, -1, 2, -2])
    assert replies.raised == {1: "ValueError: below zero", 3: "ValueError: below zero"}
    assert replies.present.tolist() == [True, False, True, False]
    assert replies.values.tolist() == [True, False, False, False]
    assert (len(replies), replies[0], replies[-2]) == (4, True, False)
    rows = iter(replies)
    assert next(rows) is True
    with pytest.raises(CommandRaised, match=r"Ledger\.add, row 1: ValueError: below zero"):
        next(rows)
    with pytest.raises(CommandRaised, match="row 1: "):
        replies.check()
    with pytest.raises(CommandRaised, match="row 3: "):
        replies[3]
    with pytest.raises(IndexError):
        replies[4]


def test_values_are_arrays_or_bytes(clients: ModuleType) -> None:
    ledger = clients.BlockingLedger(BlockingLoopback())
    ledger.add.many([b"a", b"b"], [1, 2])
    balances = ledger.balance.many([b"a", b"x", b"b"])
    assert (balances.values.dtype, balances.values.tolist()) == (np.int64, [1, 0, 2])
    assert balances.present.tolist() == [True, False, True]
    assert balances.values is balances.values
    assert ledger.echo.many([b"a", b"", b"c"]).values == [b"a", b"", b"c"]
    assert ledger.clear.many(2).values is None


def test_a_reply_to_another_number_of_commands_is_refused(clients: ModuleType) -> None:
    driver = BlockingLoopback()
    ledger = clients.BlockingLedger(driver)
    driver.execute = lambda *_: memoryview(encode_reply(1, 1, BatchStatus.EXECUTED, 16, bytes(16), 1))  # type: ignore[method-assign]
    with pytest.raises(MalformedReply, match="expected 2 records of 16 bytes, found 1 records of 16 bytes"):
        ledger.total.many(2)


def test_connecting(clients: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    identity = ServiceIdentity("Ledger", service(Ledger).fingerprint, layout_of(service(Ledger)).stride)

    async def fake(*given: Any) -> AsyncLoopback:
        asked.append(given)
        return AsyncLoopback()

    def fake_blocking(*given: Any) -> BlockingLoopback:
        asked.append(given)
        return BlockingLoopback()

    monkeypatch.setattr(async_client, "connect", fake)
    monkeypatch.setattr(blocking_client, "connect_blocking", fake_blocking)

    async def session() -> None:
        async with psmr.connect(Ledger, "a:1", timeout_s=0.5, window=4) as ledger:
            assert isinstance(ledger, clients.AsyncLedger)
            assert await ledger.total() == 0
        ledger = await clients.AsyncLedger.connect(["a:1", "b:2"], prefer_leader=False)
        ledger.close()
        with psmr.connect_blocking(Ledger, "a:1", connect_timeout_s=2) as blocking:
            assert blocking.add(b"ann", 1) is True

    asyncio.run(session())
    assert asked == [
        (["a:1"], identity, ClientSettings(timeout_us=500_000, window_batches=4)),
        (["a:1", "b:2"], identity, ClientSettings(prefer_leader=False)),
        (["a:1"], identity, ClientSettings(connect_timeout_us=2_000_000)),
    ]


@pytest.mark.parametrize(
    ("addresses", "options", "words"),
    [
        ("a:1", {"timeout_s": 0}, "timeout_s: expected seconds above 0"),
        ("a:1", {"window": 0}, "expected a window of 1 to"),
        ([], {}, "expected at least one address"),
    ],
)
def test_options_that_make_no_connection(clients: ModuleType, addresses: Any, options: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        clients.AsyncLedger.connect(addresses, **options)


def test_importing_psmr_brings_no_sockets() -> None:
    program = (
        "import sys, psmr; assert not {'zmq', 'psmr.client'} & sys.modules.keys(); "
        "psmr.connect; assert 'psmr.client' in sys.modules; assert 'zmq' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
