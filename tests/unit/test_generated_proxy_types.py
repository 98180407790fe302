"""A type checker knows generated clients: right calls have the declared types, wrong ones are errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

from psmr import proxy_files

SERVICE = """
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

    @dependent
    def int(self, bytes: u64, close: f64) -> None: ...

    @dependent
    def close(self) -> None: ...
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
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "store.py").write_text(SERVICE)
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
