"""What every state container declares about itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Any, Self

from cdep.service import StateField
from cdep.types import Max, Size, ValueType, value_type
from psmr.state.access import Access
from psmr.state.region import Region


class Container(StateField):
    """A declared piece of state. As a class attribute it is the declaration; `bind` gives the one a handler works on."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """How much of the address space it reserves; memory comes with the first touch."""

    @property
    @abstractmethod
    def replicated(self) -> bool:
        """Whether it is part of the replicated state, and so of its digest."""

    @abstractmethod
    def prepare(self, region: Region, address: int) -> None:
        """Write the constants that its compiled code reads; once, before the fork."""

    @abstractmethod
    def bind(self, access: Access, address: int) -> Self:
        """The container at `address`, for interpreted handlers of one worker."""

    @abstractmethod
    def content(self, region: Region, address: int) -> Iterator[bytes | memoryview]:
        """Its bytes in a canonical order: equal on replicas that executed the same log."""

    @abstractmethod
    def compiled_type(self) -> Any:
        """Numba's type of it."""


def declared(kind: object) -> ValueType:
    """The value type of what a container was declared with: `u64`, `bool`, `Max(32)`, `Size(16)` or an annotation."""
    if isinstance(kind, Max | Size):
        return value_type(Annotated[bytes, kind])
    return value_type(kind)


def round_up(size_bytes: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `size_bytes`."""
    return -(-size_bytes // unit) * unit


def checked_capacity(owner: str, capacity: int) -> int:
    """`capacity` when it is a positive number of rows below 2³¹."""
    if not isinstance(capacity, int) or not 0 < capacity < 2**31:
        raise TypeError(f"{owner}: expected a capacity from 1 to {2**31 - 1}, found {capacity!r}")
    return capacity
