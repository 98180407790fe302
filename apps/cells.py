"""State that a checker steps through: a map that is never changed, cheap to change in a copy, cheap to compare."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, MutableMapping
from typing import Any

_CHUNKS = 512
_Chunks = tuple[dict[Hashable, Any], ...]


class Cells:
    """An immutable map. A change copies one chunk of it; the hash is kept and follows each change."""

    __slots__ = ("_chunks", "_hash")

    def __init__(self, chunks: _Chunks = ({},) * _CHUNKS, hashed: int = 0) -> None:
        self._chunks = chunks
        self._hash = hashed

    def get(self, key: Hashable) -> Any:
        """What is under a key, or None."""
        return self._chunks[hash(key) % _CHUNKS].get(key)

    def items(self) -> Iterator[tuple[Hashable, Any]]:
        """Keys and values, in no order that means anything."""
        for chunk in self._chunks:
            yield from chunk.items()

    def changed(self, changes: dict[Hashable, Any]) -> Cells:
        """The map after some keys got other values; None removes a key."""
        chunks, hashed = list(self._chunks), self._hash
        for key, value in changes.items():
            place = hash(key) % _CHUNKS
            before = chunks[place].get(key)
            if before == value:
                continue
            chunk = dict(chunks[place])
            if before is not None:
                hashed ^= hash((key, before))
                del chunk[key]
            if value is not None:
                hashed ^= hash((key, value))
                chunk[key] = value
            chunks[place] = chunk
        return Cells(tuple(chunks), hashed)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells) and self._hash == other._hash and self._chunks == other._chunks


class Draft(MutableMapping[Any, Any]):
    """A mutable view of `Cells`, in which one command is executed; the cells themselves stay as they are."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._changes: dict[Hashable, Any] = {}

    def outcome(self) -> Cells:
        """The cells with what was changed."""
        return self._cells.changed(self._changes) if self._changes else self._cells

    def __getitem__(self, key: Hashable) -> Any:
        value = self._changes[key] if key in self._changes else self._cells.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self._changes[key] = value

    def __delitem__(self, key: Hashable) -> None:
        self[key]
        self._changes[key] = None

    def __iter__(self) -> Iterator[Hashable]:
        yield from (key for key, _ in self._cells.items() if key not in self._changes)
        yield from (key for key, value in self._changes.items() if value is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
