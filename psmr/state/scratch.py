"""`Scratch`: room for one command to build a byte value in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from psmr.state.access import Access
from psmr.state.field import Container
from psmr.state.region import Region


class Scratch(Container):
    """Where a handler assembles a reply of variable length: `begin`, then `append` bytes, then `value`.

    It belongs to the worker, not to the replicated state: what one command leaves, no other sees. More than `limit` bytes
    raise ValueError.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._built = bytearray()

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
        return type(self)(self.limit)

    def compiled_type(self) -> Any:
        from psmr.state.compiled_containers import ScratchType

        return ScratchType(self.limit)

    def begin(self) -> None:
        """Start an empty value."""
        self._built.clear()

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        if len(self._built) + len(data) > self.limit:
            raise ValueError("the value being built is longer than its limit")
        self._built += data

    def append_byte(self, byte: int) -> None:
        """Add one byte, 0 to 255, at the end."""
        if len(self._built) + 1 > self.limit:
            raise ValueError("the value being built is longer than its limit")
        self._built.append(int(byte) & 0xFF)

    def value(self) -> bytes:
        """What was built; later appends do not change it."""
        return bytes(self._built)
