"""What is merged into its callers gives what a call would give, to compiled code and to Python, and is kept alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from cdep.compiled import compiled, inlined, merged, types
from cdep.merging import MergedLibrary


@inlined
def halved(number: int) -> int:
    if number & 1:
        raise ValueError("odd", number)
    return number >> 1


@merged
def quartered(number: int) -> int:
    return halved(halved(number))


@compiled
def quartered_twice(number: int, other: int) -> int:
    return quartered(number) + halved(halved(other))


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    assert gc.isenabled() == was_enabled


def test_merged_at_two_levels_and_twice() -> None:
    assert quartered_twice(8, 20) == 7


def test_an_exception_comes_out_of_what_is_merged_with_its_arguments() -> None:
    with pytest.raises(ValueError, match="odd") as raised:
        quartered_twice(8, 10)
    assert raised.value.args == ("odd", 5)


def test_python_may_call_what_is_inlined() -> None:
    quartered_twice(4, 4)
    assert halved(6) == 3
    with pytest.raises(ValueError, match="odd"):
        halved(7)


def test_what_is_merged_is_kept_alone() -> None:
    quartered.compile((types.int64,))
    (result,) = quartered.overloads.values()
    assert isinstance(result.library, MergedLibrary)
    (only,) = (function.name for function in result.library.own_module().functions if not function.is_declaration)
    assert "quartered" in only


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool) -> None:
    function: Any = compiled(lambda number: halved(number) + 1)
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        assert function(2) == 2
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
