"""What a newcomer writes first, and is told in one line, or simply gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_support import AsyncLoopback, BlockingLoopback, Ledger

from cdep import DeclarationError
from psmr import connect, connect_blocking, proxy_files
from psmr.client.options import addresses_of
from psmr.errors import ConfigurationError, InvalidCall

HERE = "127.0.0.1:7201"
THERE = "127.0.0.1:7202"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("PSMR_CACHE", str(folder))
        yield folder


@pytest.mark.parametrize("given", [((HERE, THERE),), (HERE, THERE), (f"{HERE}, {THERE}",), ([HERE], THERE)])
def test_addresses_may_be_given_in_any_way(given: tuple[Any, ...]) -> None:
    assert addresses_of(given[0], given[1:]) == [HERE, THERE]
    connect(Ledger, *given)  # takes the same


@pytest.mark.parametrize(
    "given", [7201, ("127.0.0.1", 7201), b"127.0.0.1:7201", [], "cluster.toml", "host:99999", None]
)
def test_what_is_no_address_is_named(given: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^expected .*address.* host:port|^expected addresses of replicas, \"host:port\""
    ) as error:
        connect(Ledger, given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "found"),
    [({"timeout_s": "3"}, "timeout_s: .* found '3'"), ({"window": "wide"}, "window: .* an int, found 'wide'")],
)
def test_options_of_another_type_are_named(options: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigurationError, match=found):
        connect_blocking(Ledger, HERE, **options)


@pytest.mark.parametrize("owner", [Ledger(), "ledger_support:Ledger", int])
def test_what_is_no_service_is_named(owner: Any) -> None:
    with pytest.raises(DeclarationError, match=r"a class that inherits StateMachine, found .*give the class itself"):
        connect_blocking(owner, HERE)


def test_with_where_async_with_is_meant() -> None:
    clients = proxy_files.client_module(Ledger)
    for client in (connect(Ledger, HERE), clients.AsyncLedger(AsyncLoopback())):
        with pytest.raises(InvalidCall, match=r"write `async with connect\(...\)`, or `with connect_blocking"), client:
            pytest.fail("entered")


def test_async_with_and_await_where_with_is_meant() -> None:
    clients = proxy_files.client_module(Ledger)

    async def entered(client: Any) -> None:
        async with client:
            pytest.fail("entered")

    async def awaited(client: Any) -> None:
        await client

    uses: list[Callable[[Any], Any]] = [entered, awaited]
    for use in uses:
        driver = BlockingLoopback()
        with pytest.raises(InvalidCall, match=r"write `with connect_blocking\(...\)`, or `async with connect"):
            asyncio.run(use(clients.BlockingLedger(driver)))
        assert driver.closed == 1


def test_a_call_of_a_client_that_is_not_connected_yet() -> None:
    connecting: Any = connect(Ledger, HERE)
    with pytest.raises(
        AttributeError, match=r"^add: expected a client that is connected.*client = await connect\(...\)"
    ):
        connecting.add(b"ann", 5)


@pytest.mark.parametrize(
    ("call", "signature", "found"),
    [
        (lambda client: client.add(b"ann"), "Ledger.add(name: bytes, amount: int)", "'amount'"),
        (lambda client: client.add(b"ann", 5, 6), "Ledger.add(name: bytes, amount: int)", "4 were given"),
        (lambda client: client.add(nam=b"ann"), "Ledger.add(name: bytes, amount: int)", "'nam'"),
        (lambda client: client.add.groups(), "Ledger.add.groups(name: bytes, amount: int)", "'name'"),
        (lambda client: client.clear.many(), "Ledger.clear.many(count: int)", "'count'"),
    ],
)
def test_too_few_or_too_many_arguments_are_answered_by_the_signature(
    call: Callable[[Any], Any], signature: str, found: str
) -> None:
    clients = proxy_files.client_module(Ledger)
    for client in (clients.AsyncLedger(AsyncLoopback()), clients.BlockingLedger(BlockingLoopback())):
        with pytest.raises(TypeError) as error:
            call(client)
        text = str(error.value)
        assert text.startswith(f"expected {signature}, found other arguments: Ledger.")
        assert found in text
        assert "__call__" not in text


@pytest.mark.parametrize(
    ("call", "signature", "found"),
    [
        (
            lambda batch: batch.add(b"ann"),
            "batch().add(name: bytes | BytesColumn, amount: int | IntColumn)",
            "'amount'",
        ),
        (lambda batch: batch.clear(1, 2), "batch().clear(count: int)", "3 were given"),
        (lambda batch: batch.send(b"ann"), "batch().send()", "2 were given"),
    ],
)
def test_a_batch_answers_too_few_or_too_many_arguments_by_the_signature(
    call: Callable[[Any], Any], signature: str, found: str
) -> None:
    clients = proxy_files.client_module(Ledger)
    for client in (clients.AsyncLedger(AsyncLoopback()), clients.BlockingLedger(BlockingLoopback())):
        with pytest.raises(TypeError) as error:
            call(client.batch())
        text = str(error.value)
        assert text.startswith(f"expected {signature}, found other arguments: batch().")
        assert found in text
