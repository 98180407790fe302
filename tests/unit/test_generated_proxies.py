"""Generated clients: their text, their types, what they send and what they make of the answers."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np
import pytest

from cdep import Call, Max, Size, StateMachine, dependent, f64, i64, independent, mask, partially_dependent, u64
from cdep import service_of as service
from proxies.client_text import client_text
from proxies.layout import NONE, RAISED, REPLY_WIDE, layout_of
from psmr import proxy_files
from psmr.client import async_client, blocking_client
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.core.batch import RECORDS_MAX
from psmr.core.reply import BatchStatus, MalformedReply, encode_reply
from psmr.errors import CommandRaised, ConfigurationError, InvalidCall

Name = Annotated[bytes, Max(8)]


class Ledger(StateMachine):
    """A service with a reply of each kind."""

    @partially_dependent("name", access="read")
    def balance(self, name: Name) -> i64 | None:
        """The balance; None for an unknown name."""
        return None

    @partially_dependent("name")
    def add(self, name: Name, amount: i64) -> bool:
        """Add to a balance; True if the name is new. Raises ValueError below zero."""
        return True

    @independent
    def echo(self, text: Name) -> Name | None:
        return text

    @dependent
    def clear(self) -> None:
        """Forget everything."""

    @dependent(access="read")
    def total(self) -> u64:
        """How many names there are."""
        return u64(0)


class Outer:
    class Replies(StateMachine):
        r"""A service whose names are in the way: "quotes", \backslashes and a"""  # as in real life

        @dependent
        def batch(self, self_: u64, count: bool, driver: f64) -> f64:
            '''Ends with a """quote"'''
            return driver

        @dependent
        def close(self) -> None:
            r"""Ends with a \
            and has lines.

                indented
            """

        @dependent
        def int(self, bytes: Annotated[bytes, Size(4)]) -> Annotated[bytes, Size(4)] | None:  # noqa: A002
            return bytes

        @dependent
        def close_(self) -> bool:
            return True

        @dependent
        def get(self) -> None: ...

        @dependent
        def async_get(self) -> None: ...

        @dependent
        def a_rather_long_name_for_a_command_that_does_not_fit(
            self, first_parameter: u64, second_one: u64
        ) -> i64 | None:
            return None


SERVICES: list[type[StateMachine]] = [Ledger, Outer.Replies]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("PSMR_CACHE", str(folder))
        yield folder


@pytest.fixture
def clients(cache: Path) -> ModuleType:
    return proxy_files.client_module(Ledger)


# --- a cluster of one dict --------------------------------------------------------------------------------------------


class Loopback:
    """Executes batches at once, in plain Python, by the layouts alone."""

    def __init__(self) -> None:
        self.layout = layout_of(service(Ledger))
        self.balances: dict[bytes, int] = {}
        self.batches: list[list[tuple[Any, ...]]] = []
        self.closed = 0

    def execute(self, records: bytes, count: int, blob: bytes) -> memoryview:
        stride = self.layout.stride
        assert len(records) == count * stride
        rows = [self._decode(records[row * stride : (row + 1) * stride], blob) for row in range(count)]
        self.batches.append(rows)
        replies, content = b"", b""
        for command, *arguments in rows:
            reply, more = self._reply(command, arguments, len(content))
            replies += reply
            content += more
        stride = self.layout.reply_stride
        return memoryview(encode_reply(1, 1, BatchStatus.EXECUTED, stride, replies, count, content))

    def _decode(self, record: bytes, blob: bytes) -> tuple[Any, ...]:
        command = self.layout.commands[int.from_bytes(record[:2], "little")]
        values: list[Any] = [command.command.name]
        row = np.frombuffer(record, command.dtype(self.layout.stride))[0]
        for field in command.fields:
            value = row[field.name]
            is_slice = field.type.kind == "bytes"
            values.append(blob[value["offset"] :][: value["length"]] if is_slice else value.item())
        return tuple(values)

    def _reply(self, command: str, arguments: list[Any], used: int) -> tuple[bytes, bytes]:
        layout = self.layout.command(command)
        reply = bytearray(self.layout.reply_stride)
        text = b""
        try:
            value = getattr(self, f"_{command}")(*arguments)
        except ValueError as error:
            reply[0], reply[2], text = RAISED, 1, f"ValueError: {error}".encode()
            struct.pack_into("<II", reply, REPLY_WIDE, used, len(text))
            return bytes(reply), text
        if value is None:
            reply[0] = NONE if layout.command.optional else 0
        elif isinstance(value, bytes):
            reply[2], text = 1, value
            struct.pack_into("<II", reply, REPLY_WIDE, used, len(text))
        else:
            content = np.array(value, layout.command.reply.dtype if layout.command.reply else None).tobytes()
            reply[layout.reply_offset : layout.reply_offset + len(content)] = content
        return bytes(reply), text

    def _balance(self, name: bytes) -> int | None:
        return self.balances.get(name)

    def _add(self, name: bytes, amount: int) -> bool:
        if self.balances.get(name, 0) + amount < 0:
            raise ValueError("below zero")
        fresh = name not in self.balances
        self.balances[name] = self.balances.get(name, 0) + amount
        return fresh

    def _echo(self, text: bytes) -> bytes | None:
        return text or None

    def _clear(self) -> None:
        self.balances.clear()

    def _total(self) -> int:
        return len(self.balances)

    def close(self) -> None:
        self.closed += 1


class AsyncLoopback(Loopback):
    def submit(self, records: bytes, count: int, blob: bytes) -> asyncio.Future[memoryview]:
        future: asyncio.Future[memoryview] = asyncio.get_running_loop().create_future()
        future.set_result(self.execute(records, count, blob))
        return future

    def call(self, record: bytes, blob: bytes, rebase: Callable[[bytes, int], bytes]) -> asyncio.Future[Any]:
        # As if a call with a blob of 3 bytes were packed before this one.
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reply = self.execute(rebase(record, 3), 1, b"---" + blob)
        future.set_result((reply[32 : 32 + self.layout.reply_stride], reply[32 + self.layout.reply_stride :]))
        return future


class BlockingLoopback(Loopback):
    def submit(self, records: bytes, count: int, blob: bytes) -> Done:
        return Done(self.execute(records, count, blob))


class Done:
    def __init__(self, reply: memoryview) -> None:
        self._reply = reply

    def result(self) -> memoryview:
        return self._reply


# --- what clients do --------------------------------------------------------------------------------------------------


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
    with pytest.raises(InvalidCall, match=rf"batch with Ledger\.clear: expected at most {RECORDS_MAX} rows"):
        batch.clear(RECORDS_MAX)
    assert len(batch) == 1
    assert [list(found) for found in batch.send()] == [[True]]


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
    seen = []
    with pytest.raises(CommandRaised, match=r"Ledger\.add, row 1: ValueError: below zero"):
        seen.extend(value for value in replies)
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


# --- connecting -------------------------------------------------------------------------------------------------------


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
        import psmr

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
    program = "import sys, psmr; assert 'zmq' not in sys.modules; psmr.connect; assert 'zmq' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


# --- the text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", SERVICES)
@pytest.mark.parametrize("width", ["88", "120"])
def test_the_text_is_as_the_formatter_would_have_it(owner: type[StateMachine], width: str) -> None:
    text = client_text(service(owner))
    format_ = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", width, "-"]
    assert subprocess.run(format_, input=text, capture_output=True, text=True, check=True).stdout == text
    check = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "--line-length", width, "-"]
    subprocess.run(check, input=text, capture_output=True, text=True, check=True)


def test_the_same_service_gives_the_same_text() -> None:
    text = client_text(service(Ledger))
    assert "Generated from test_generated_proxies:Ledger; do not edit." in text
    program = "import test_generated_proxies as t; print(t.client_text(t.service(t.Ledger)), end='')"
    for seed in "1", "2":
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"}
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        assert run.stdout == text


def test_names_in_the_way_are_moved_aside(cache: Path) -> None:
    module = proxy_files.client_module(Outer.Replies)
    client = module.BlockingReplies(BlockingLoopback())
    assert {"batch_", "close_", "close__", "int_", "get", "async_get"} <= vars(client).keys()
    assert client.close_.proxy.name == "Replies.close"
    assert client.close__.proxy.name == "Replies.close_"
    assert client.batch_.groups(self_=3, count=True, driver=0.5) == 2**64 - 1


def test_writing_leaves_an_equal_file_alone(tmp_path: Path) -> None:
    client, server = proxy_files.write_proxies(Ledger, tmp_path / "generated")
    assert (client.name, server.name) == ("ledger_client.py", "ledger_server.py")
    before = client.stat().st_mtime_ns, client.stat().st_ino
    proxy_files.write_proxies(Ledger, tmp_path / "generated")
    assert (client.stat().st_mtime_ns, client.stat().st_ino) == before
    client.write_text("# another version")
    proxy_files.write_proxies(Ledger, tmp_path / "generated")
    assert client.read_text() == client_text(service(Ledger))
    assert sorted(path.name for path in client.parent.iterdir()) == ["ledger_client.py", "ledger_server.py"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file/generated/ledger_client.py: cannot be written"):
        proxy_files.write_proxies(Ledger, tmp_path / "file" / "generated")


def test_a_client_of_another_version_is_refused(tmp_path: Path) -> None:
    text = client_text(service(Ledger)).replace("FINGERPRINT = 0x", "FINGERPRINT = 0x1 ^ 0x")
    path = proxy_files.write_file(tmp_path, "old_client.py", text)
    for _ in range(2):  # a module that failed is not left half imported
        with pytest.raises(ConfigurationError, match=r"client proxy of Ledger was generated for fingerprint .* again"):
            proxy_files.import_file("psmr_test_old_client", path)


def test_a_class_that_no_file_can_import(cache: Path) -> None:
    class Local(StateMachine):
        @dependent
        def act(self) -> None: ...

    with pytest.raises(ConfigurationError, match="expected a class at the top of an importable module"):
        proxy_files.client_module(Local)


# --- the types --------------------------------------------------------------------------------------------------------

TYPED_SERVICE = """
from __future__ import annotations

from typing import Annotated

from cdep import Max, Size, StateMachine, dependent, f64, partially_dependent, u64


class Store(StateMachine):
    @partially_dependent("key")
    def get(self, key: Annotated[bytes, Max(8)]) -> Annotated[bytes, Max(8)] | None:
        return key

    @partially_dependent("number")
    def put(self, number: u64, rate: f64, flag: bool) -> u64 | None:
        return number

    @partially_dependent("code")
    def take(self, code: Annotated[bytes, Size(4)]) -> None: ...

    @dependent
    def clear(self) -> bool:
        return True
"""

USE = """
from __future__ import annotations

import numpy as np
from psmr import connect
from store import Store
from store_client import AsyncStore, BlockingStore


async def right() -> None:
    async with AsyncStore.connect("127.0.0.1:1") as store:
        reveal_type(await store.get(b"key"))
        reveal_type(await store.put(1, 0.5, True))
        reveal_type(await store.clear())
        replies = await store.put.many([1, 2], np.zeros(2), np.ones(2, np.bool_))
        reveal_type(replies.values)
        reveal_type((await store.get.many([b"a"])).values)
        reveal_type(list(replies))
        batch = store.batch()
        batch.put(1, 0.5, True)
        batch.put([1], [0.5], [True])
        batch.take(np.zeros((3, 4), np.uint8))
        reveal_type(await batch.send())
    async with connect(Store, "127.0.0.1:1") as untyped:
        await untyped.get(b"key")
    with BlockingStore.connect(["127.0.0.1:1"]) as blocking:
        reveal_type(blocking.get(b"key"))
        reveal_type(blocking.put.submit([1], [0.5], [True]).result().present)
        reveal_type(blocking.get.groups(b"key"))


def wrong(store: BlockingStore) -> None:
    store.get("key")
    store.put(1, 0.5)
    store.gett(b"key")
    store.put(1.5, 0.5, True)
    store.get.many(b"key")
    store.put.many([0.5], [0.5], [True])
    store.clear(1)
    store.take.many([1])
    store.batch().put(1, [0.5], True)
    store.batch().puts(1, 0.5, True)
    amount: int = store.put(1, 0.5, True)
"""

REVEALED = [
    "bytes | None",
    "int | None",
    "bool",
    "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.unsignedinteger[numpy._typing._nbit_base._64Bit]]]",
    "list[bytes]",
    "list[int | None]",
    "list[psmr.client.replies.Replies[Any, Any]]",
    "bytes | None",
    "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.bool[bool]]]",
    "int",
]
WRONG = [
    "arg-type",
    "call-arg",
    "attr-defined",
    "arg-type",
    "arg-type",
    "list-item",
    "call-arg",
    "list-item",
    "call-overload",
    "attr-defined",
    "assignment",
]


@pytest.mark.slow
def test_a_type_checker_finds_misuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mypy import api

    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "store.py").write_text(TYPED_SERVICE)
    store = proxy_files.import_file("store", tmp_path / "store.py")
    client, _ = proxy_files.write_proxies(store.Store, tmp_path)
    use = tmp_path / "use.py"
    use.write_text(USE)
    cache = str(tmp_path / "cache")
    out, err, _ = api.run(["--strict", "--hide-error-context", "--cache-dir", cache, str(client), str(use)])
    assert err == ""
    lines = [line for line in out.splitlines() if line.startswith(str(tmp_path))]
    assert all(line.startswith(str(use)) for line in lines), out
    notes = [line.split('"')[1] for line in lines if "Revealed type" in line]
    errors = [line.rsplit("[", 1)[1].removesuffix("]") for line in lines if ": error: " in line]
    assert notes == REVEALED
    assert errors == WRONG
    first = USE[: USE.index('    store.get("key")')].count("\n") + 1
    assert [int(line.split(":")[1]) for line in lines if ": error: " in line] == list(range(first, first + len(WRONG)))
