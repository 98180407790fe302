"""What every state container declares about itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np

from cdep.errors import DeclarationError
from cdep.service import StateField
from cdep.types import Max, Size, ValueType, value_type
from psmr.state.access import Access
from psmr.state.region import Region

SECTION_BYTES = 1 << 20
"""How long a section is at most."""


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a container's content: `head`, then what is at `address`; what follows up to the next section is none.

    With `first_page` not negative, only pages that hold anything but zeros, each behind its number, counted from there.
    """

    address: int
    length: int
    head: bytes = b""
    first_page: int = -1


class Body:
    """A captured state, in memory: its bytes, their address, and the same as words."""

    def __init__(self, content: memoryview) -> None:
        if len(content) % 8:
            raise ValueError(f"expected a multiple of 8 bytes, found {len(content)}")
        self.content = content
        self.words = np.frombuffer(content, "<i8")
        self.address = int(self.words.ctypes.data)

    def word(self, place: int) -> int:
        """The word at a byte offset. Raises ValueError behind the end."""
        if not 0 <= place < len(self.content):
            raise ValueError(f"expected more than {len(self.content)} bytes")
        return int(self.words[place >> 3])


@dataclass(frozen=True, slots=True)
class Restored:
    """What fills a container, in any order and at once; where its content ends in the body, and where the next begins."""

    jobs: Sequence[Callable[[], None]]
    content_end: int
    end: int


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

    def extents(self, region: Region, address: int) -> bytes:
        """What `sections` must know of this moment, small and quick to get; while nothing executes."""
        return b""

    def sections(self, address: int, extents: bytes) -> Iterator[Section]:
        """Where its content at the moment of `extents` lay, in canonical order, which is that of addresses too."""
        return iter(())

    def restore(self, region: Region, address: int, body: Body, place: int) -> Restored:
        """How to fill the container, empty so far, with the content at `place` of a captured body. Raises ValueError."""
        return Restored([], place, place)

    @abstractmethod
    def compiled_type(self) -> Any:
        """Numba's type of it."""


def declared(kind: object, where: str = "a container") -> ValueType:
    """The value type of what a container was declared with: `u64`, `bool`, `Max(32)`, `Size(16)` or an annotation.

    Raises DeclarationError, which says `where` it stands, for anything else.
    """
    try:
        return value_type(Annotated[bytes, kind] if isinstance(kind, Max | Size) else kind)
    except DeclarationError as error:
        raise DeclarationError(f"{where} {error}") from None


def round_up(size_bytes: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `size_bytes`."""
    return -(-size_bytes // unit) * unit


def checked_capacity(owner: str, capacity: int) -> int:
    """`capacity` when it is a positive number of rows below 2³¹."""
    if not isinstance(capacity, int) or not 0 < capacity < 2**31:
        raise TypeError(f"{owner}: expected a capacity from 1 to {2**31 - 1}, found {capacity!r}")
    return capacity
