"""State that is declared with a type that cannot be stored says which container, which place, and what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from psmr import Array, DeclarationError, Event, Map, Table, u64


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda: Map(str, u64, capacity=10), "Map: the key has the type str; encode text"),
        (lambda: Map(u64, int, capacity=10), "Map: the value has the type int; give it a width"),
        (lambda: Array(int, capacity=10), "Array: the value has the type int; give it a width"),
        (lambda: Table(price=int, capacity=10), "Table: the field 'price' has the type int; give it a width"),
        (lambda: Event(price=int), "Event: the field 'price' has the type int; give it a width"),
    ],
)
def test_where_the_type_stands_is_said(declare: Callable[[], Any], expected: str) -> None:
    with pytest.raises(DeclarationError) as error:
        declare()
    assert str(error.value).startswith(expected)
