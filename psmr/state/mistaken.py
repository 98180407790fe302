"""What a container says when it is used as something else, in place of Python's word for a missing method.

A type checker must not see these methods: it would take the mistake for right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

MAP_CURE: Final = (
    "a Map is read with `get(key)`, `get(key, default)` and `key in self.map`, written with `put(key, value)`, `remove(key)` and "
    "`clear()`; `cursor = self.map.next(-1)`, and `next(cursor)` until it is -1, lead through it, with `key_at(cursor)` and "
    "`value_at(cursor)`"
)
ROWS_CURE: Final = (
    "an Array, as a field of a Table, is read as `self.array[row]` and written as `self.array[row] = value`, for rows below "
    "`len(self.array)`"
)
TABLE_CURE: Final = (
    "a Table is read as `self.table.field[row]` and written as `self.table.field[row] = value`, by fields declared"
)


class NotADictionary:
    """A map of the state, which is no dictionary."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(_text(f".{name}"))

        def __iter__(self) -> NoReturn:
            raise TypeError(_text("iteration"))

        def __getitem__(self, key: object) -> NoReturn:
            raise TypeError(_text("[key]"))

        def __setitem__(self, key: object, value: object) -> NoReturn:
            raise TypeError(_text("[key] = value"))

        def __delitem__(self, key: object) -> NoReturn:
            raise TypeError(_text("del [key]"))


def _text(found: str) -> str:
    return f"expected a method of Map, found {found}: {MAP_CURE}"
