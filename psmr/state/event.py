"""`Event`: what a command tells whoever follows the service, apart from its reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from cdep.types import ValueType
from psmr.core.event_format import HEAD, EventLayout, packer
from psmr.state import frame as frames
from psmr.state.access import Access, encoder
from psmr.state.field import Container, declared
from psmr.state.region import Region


class Event(Container):
    """A declared event: a handler calls `emit` with the values of its fields, in the order declared.

    Fields are numbers, `bool` or `Size(n)`; values are stored as state is. What a command has emitted becomes part of the
    service's one stream of events once it has succeeded: after the events of all commands before it, in the order of its own
    calls. A command that raises has emitted nothing. It is no state: nothing of it can be read.
    """

    _access: Access
    _kind: int
    _pack: Callable[[tuple[Any, ...]], bytes]

    def __init__(self, **fields: Any) -> None:
        self.fields: dict[str, ValueType] = {name: declared(kind) for name, kind in fields.items()}
        self.layout = EventLayout(self.fields)

    def specification(self) -> str:
        return f"Event({', '.join(f'{name}={kind.name}' for name, kind in self.fields.items())})"

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
        bound = object.__new__(type(self))
        bound.fields, bound.layout = self.fields, self.layout
        bound._access, bound._kind = access, address
        bound._pack = packer(self.layout, {name: encoder(kind) for name, kind in self.fields.items()})
        return bound

    def compiled_type(self) -> Any:
        from psmr.state.compiled_events import EventType

        return EventType(self.layout)

    def emit(self, *values: Any) -> None:
        """Emit one event.

        Raises ValueError for a `Size(n)` of another length and in a read beside the log, CommandTooLarge when the command has
        emitted 64 KiB.
        """
        if len(values) != len(self.fields):
            raise TypeError(f"expected {len(self.fields)} values, {', '.join(self.fields)}; found {len(values)}")
        content = self._pack(values)
        region, frame = self._access.region, self._access.frame
        place = frames.take_event_slowly(frame, HEAD.size + len(content))
        row, mark = divmod(region.word(frame + frames.EVENT_ROW) >> 16, 1 << 16)
        head = HEAD.pack(self._kind, HEAD.size + len(content) | mark, row)
        region.at(place, HEAD.size + len(content))[:] = head + content
