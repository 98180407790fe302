"""`Scratch`: room for one command to build a byte value in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from psmr.state.access import Access
from psmr.state.field import Container
from psmr.state.region import Region


class Scratch(Container):
    """Where a handler assembles a byte value: `begin`, then `append` bytes, then `value`.

    It belongs to the worker, not to the replicated state: what one command leaves, no other sees. More than `limit` bytes
    raise ValueError, as does adding before `begin`.
    """

    _access: Access
    _built: bytearray | None

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def specification(self) -> str:
        return f"Scratch({self.limit})"

    @property
    def size_bytes(self) -> int:
        return 0

    @property
    def replicated(self) -> bool:
        return False

    def prepare(self, region: Region, address: int) -> None:
        """Nothing to write: it has no place in the region."""

    def content(self, region: Region, address: int) -> Iterator[bytes | memoryview]:
        return iter(())

    def bind(self, access: Access, address: int) -> Self:
        bound = type(self)(self.limit)
        bound._access = access
        bound._built = None
        return bound

    def compiled_type(self) -> Any:
        from psmr.state.compiled_containers import ScratchType

        return ScratchType(self.limit)

    def forget(self) -> None:
        """A new command: nothing is begun."""
        self._built = None

    def begin(self) -> None:
        """Start an empty value."""
        if self._built is None:
            self._access.take(self.limit)
        self._built = bytearray()

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        built = self._room_for(len(data))
        built += data

    def append_byte(self, byte: int | np.integer[Any]) -> None:
        """Add one byte, 0 to 255, at the end."""
        self._room_for(1).append(int(byte) & 0xFF)

    def value(self) -> bytes:
        """What was built; later appends do not change it."""
        built = self._room_for(0)
        self._access.take(len(built))
        return bytes(built)

    def _room_for(self, length: int) -> bytearray:
        if self._built is None:
            raise ValueError("the command has begun no value; call begin() first")
        if len(self._built) + length > self.limit:
            raise ValueError("the value being built is longer than its limit")
        return self._built
