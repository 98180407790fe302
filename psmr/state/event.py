"""`Event`: what a command tells whoever follows the service, apart from its reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    _encoders: Mapping[str, Callable[[Any], bytes]]
    _pack: Callable[[tuple[Any, ...]], bytes]

    def __init__(self, **fields: Any) -> None:
        self.fields: dict[str, ValueType] = {
            name: declared(kind, f"Event: the field '{name}'") for name, kind in fields.items()
        }
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
        bound._encoders = {name: encoder(kind) for name, kind in self.fields.items()}
        bound._pack = packer(self.layout, bound._encoders)
        return bound

    def compiled_type(self) -> Any:
        from psmr.state.compiled_events import EventType

        return EventType(self.layout)

    def emit(self, *values: Any, **named: Any) -> None:
        """Emit one event.

        Raises TypeError for values that are too few, too many, named or of another type, where a compiled handler is refused
        before it runs; ValueError for a `Size(n)` of another length and in a read beside the log; CommandTooLarge when the command
        has emitted 64 KiB.
        """
        if named or len(values) != len(self.fields):
            raise misfit(self._encoders, values, named)
        try:
            content = self._pack(values)
        except TypeError:
            raise misfit(self._encoders, values, named) from None
        region, frame = self._access.region, self._access.frame
        place = frames.take_event_slowly(frame, HEAD.size + len(content))
        row, mark = divmod(region.word(frame + frames.EVENT_ROW) >> 16, 1 << 16)
        head = HEAD.pack(self._kind, HEAD.size + len(content) | mark, row)
        region.at(place, HEAD.size + len(content))[:] = head + content


def misfit(
    encoders: Mapping[str, Callable[[Any], bytes]], values: tuple[Any, ...], named: Mapping[str, Any]
) -> TypeError:
    """Why an event is not to be emitted with these values; `encoders` of its fields, in the order declared."""
    if named or len(values) != len(encoders):
        found = ", ".join([str(len(values)), *(f"{name}=" for name in named)])
        return TypeError(
            f"emit: expected {len(encoders)} values in the order declared, without names ({', '.join(encoders)}), found {found}"
        )
    for (name, encode), value in zip(encoders.items(), values, strict=True):
        try:
            encode(value)
        except TypeError as error:
            return TypeError(f"emit: {name}: {error}")
    raise AssertionError(f"expected a value that does not fit, found {values!r} for {', '.join(encoders)}")
