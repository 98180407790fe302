"""Machine code kept on disk is that of the source it was made of, or it is made again: stale, damaged and old code goes."""

from __future__ import annotations

import fcntl
import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cdep.code_digest import code_digest
from psmr import Map, StateMachine, partially_dependent, u64
from psmr.execution import generated
from psmr.execution.engine import Engine
from psmr.execution.generated import FOLDERS_KEPT, compiling, has_machine_code, server_module

FACTOR = 3


def scaled(number: u64) -> u64:
    return number * u64(FACTOR)


class Counting(StateMachine):
    """Uses a function and a constant from beside it."""

    counts = Map(u64, u64, capacity=10)

    @partially_dependent("key")
    def count(self, key: u64) -> u64:
        return scaled(key)


class CountingByItself(StateMachine):
    """Can be compiled: uses nothing from beside it."""

    @partially_dependent("key")
    def count(self, key: u64) -> u64:
        return key


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, and nothing imported from any."""
    monkeypatch.setenv("PSMR_CACHE", str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("psmr_generated_counting"):
            del sys.modules[name]


def folder_of(module: ModuleType) -> str:
    return Path(str(module.__file__)).parent.name


def test_the_same_service_is_written_once(cache: Path) -> None:
    first = server_module(Counting)
    assert server_module(Counting) is first
    assert [path.name for path in cache.iterdir()] == [folder_of(first)]


def test_what_is_compiled_is_known_to_be_so(cache: Path) -> None:
    assert not has_machine_code(server_module(CountingByItself))
    engine = Engine(CountingByItself, 1)
    try:
        engine.start()
    finally:
        engine.close()
    assert has_machine_code(server_module(CountingByItself))


def test_another_constant_in_another_function_gives_another_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = folder_of(server_module(Counting))
    monkeypatch.setitem(globals(), "FACTOR", 4)
    second = folder_of(server_module(Counting))
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert folder_of(server_module(Counting)) == first != second


def test_the_engine_and_its_versions_are_part_of_the_name(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {folder_of(server_module(Counting))}
    monkeypatch.setattr(generated, "_engine_source", lambda: b"another")
    names.add(folder_of(server_module(Counting)))
    monkeypatch.setattr(generated.numba, "__version__", "0")
    names.add(folder_of(server_module(Counting)))
    monkeypatch.setattr(generated.numba.config, "CPU_NAME", "another")
    names.add(folder_of(server_module(Counting)))
    assert len(names) == 4


def old_folders(cache: Path, count: int) -> list[Path]:
    """Folders of earlier versions, the first the oldest."""
    folders = [cache / f"counting-{number:016x}" for number in range(count)]
    for age, folder in enumerate(folders):
        folder.mkdir()
        (folder / "server.lock").touch()
        os.utime(folder / "server.lock", (1_000_000 + age, 1_000_000 + age))
    return folders


def test_old_folders_are_removed_and_no_others(cache: Path) -> None:
    strangers = [
        cache / name for name in ("counting-client-0123456789abcdef", "counting-notes", "other-0123456789abcdef")
    ]
    for stranger in strangers:
        stranger.mkdir()
    folders = old_folders(cache, FOLDERS_KEPT + 2)
    newest = cache / folder_of(server_module(Counting))
    kept = {*strangers, *folders[3:], newest}
    assert set(cache.iterdir()) == kept
    assert len(kept - set(strangers)) == FOLDERS_KEPT


def test_a_folder_in_which_someone_compiles_is_left(cache: Path) -> None:
    folders = old_folders(cache, FOLDERS_KEPT + 2)
    with (folders[0] / "server.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server_module(Counting)
    assert [folder.exists() for folder in folders[:4]] == [True, False, False, True]


def test_one_compiles_at_a_time(cache: Path) -> None:
    module = server_module(Counting)
    path = Path(str(module.__file__)).with_name("server.lock")
    with compiling(module), path.open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_where_no_lock_can_be_made_there_is_none(tmp_path: Path) -> None:
    module = ModuleType("nowhere")
    module.__file__ = str(tmp_path / "gone" / "server.py")
    with compiling(module):
        assert not (tmp_path / "gone").exists()


# Compiled functions, in modules written by the test.

PARTS = """
from cdep.compiled import compiled, inlined
LIMIT = 10
@inlined
def part(x):
    return x + 1
"""
WHOLE = """
from cdep.compiled import compiled
from {parts} import LIMIT, part
@compiled
def whole(x):
    return part(x) * LIMIT
"""


class Source:
    """Two modules in a folder: `load` imports them as a new process would."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._name = f"parts_of_{folder.name}"
        monkeypatch.syspath_prepend(str(folder))
        (folder / "whole.py").write_text(WHOLE.format(parts=self._name))
        self.write(PARTS)

    def write(self, parts: str) -> None:
        (self._folder / f"{self._name}.py").write_text(parts)

    def load(self) -> Any:
        sys.modules.pop(self._name, None)
        for cached in (self._folder / "__pycache__").glob(f"{self._name}*.pyc"):
            cached.unlink()  # rewritten within one tick of the clock and in the same size, it would be taken for the same
        importlib.invalidate_caches()
        specification = importlib.util.spec_from_file_location("whole", self._folder / "whole.py")
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module.whole

    def files(self, ending: str) -> list[Path]:
        return sorted((self._folder / "__pycache__").glob(f"whole.whole*.{ending}"))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    return Source(tmp_path, monkeypatch)


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def test_machine_code_is_loaded_while_nothing_changes(source: Source) -> None:
    assert source.load()(4) == 50
    again = source.load()
    assert (again(4), hits(again)) == (50, 1)


@pytest.mark.parametrize(
    ("old", "new", "result"), [("LIMIT = 10", "LIMIT = 20", 100), ("x + 1", "x + 2", 60), ("x + 1", "x - LIMIT", -60)]
)
def test_a_change_in_another_file_is_noticed(source: Source, old: str, new: str, result: int) -> None:
    assert source.load()(4) == 50
    source.write(PARTS.replace(old, new))
    changed = source.load()
    assert (changed(4), hits(changed)) == (result, 0)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def emptied(content: bytes) -> bytes:
    return b""


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [cut, emptied, flipped])
def test_a_damaged_file_is_made_again(source: Source, ending: str, damage: Callable[[bytes], bytes]) -> None:
    assert source.load()(4) == 50
    (path,) = source.files(ending)
    path.write_bytes(damage(path.read_bytes()))
    assert source.load()(4) == 50
    repaired = source.load()
    assert (repaired(4), hits(repaired)) == (50, 1)


def test_code_that_cannot_be_kept_is_executed_all_the_same(source: Source, tmp_path: Path) -> None:
    function = source.load()
    for path in (tmp_path / "__pycache__").iterdir():
        path.unlink()
    (tmp_path / "__pycache__").rmdir()
    (tmp_path / "__pycache__").touch()
    assert function(4) == 50


def test_several_processes_may_compile_the_same(source: Source) -> None:
    function = source.load()

    def check() -> None:
        sys.exit(0 if function(4) == 50 else 1)

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=check) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    again = source.load()
    assert (again(4), hits(again)) == (50, 1)


def test_a_digest_sees_all_that_code_can_reach() -> None:
    def adder(amount: int) -> Callable[[int], int]:
        return lambda number: number + amount

    def twice(number: int) -> int:
        return adder(1)(number) if number in {1, 2} else 2 * number

    assert code_digest(adder(1)) == code_digest(adder(1)) != code_digest(adder(2))
    assert code_digest(twice) != code_digest(adder)
    assert code_digest(scaled, twice) != code_digest(twice, scaled)


def test_a_digest_survives_functions_that_call_each_other() -> None:
    assert code_digest(even) == code_digest(even) != code_digest(odd)


def even(number: int) -> bool:
    return number == 0 or odd(number - 1)


def odd(number: int) -> bool:
    return number != 0 and even(number - 1)
