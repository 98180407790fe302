"""`Event` as a Numba type: `emit` writes a whole record with plain stores, some nanoseconds an event."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, register_model

from cdep.compiled import inlined, overloaded_method, types
from cdep.types import ValueType
from psmr.core.event_format import EventLayout
from psmr.state.byte_values import length_of
from psmr.state.compiled_containers import ContainerModel, ContainerType, base_of, frame_of, require
from psmr.state.frame import EVENT_ROW, take_event
from psmr.state.words import NAN_BITS, load_i64, store_i64

_WORD = ir.IntType(64)


class EventType(ContainerType):
    """An `Event`; its base is its kind."""

    def __init__(self, layout: EventLayout) -> None:
        self.layout = layout
        fields = ", ".join(f"{field.name}: {field.type.name}" for field in layout.fields)
        super().__init__(name=f"psmr.Event({fields})")


register_model(EventType)(ContainerModel)


@overloaded_method(EventType, "emit")
def _emit(self: Any, *values: Any) -> Any:
    layout = self.layout
    values = values[0] if len(values) == 1 and isinstance(values[0], tuple | types.BaseTuple) else values
    if len(values) != len(layout.fields):
        names = ", ".join(field.name for field in layout.fields)
        raise TypingError(
            f"emit: expected {len(layout.fields)} values in the order declared ({names}), found {len(values)}"
        )
    for field, value in zip(layout.fields, values, strict=True):
        require(value, field.type, f"emit: {field.name}")
    size, check, store = layout.size_bytes, _size_check(layout), _storer(layout)

    def emit(self: Any, *values: Any) -> None:
        check(values)
        place = take_event(frame_of(self), size)
        store_i64(place, load_i64(frame_of(self) + EVENT_ROW) + (size << 16) + base_of(self))
        store(place, values)

    return emit


def _size_check(layout: EventLayout) -> Any:
    """A compiled function that refuses `Size(n)` values of another length."""
    check: Any = inlined(_nothing)
    for place, field in enumerate(layout.fields):
        if field.type.kind == "fixed":
            check = _with_check(check, place, field.type.limit)
    return check


def _nothing(values: Any) -> None:
    """Nothing to check."""


def _with_check(before: Any, place: int, limit: int) -> Any:
    message = f"a byte value has not the {limit} bytes declared for it"

    @inlined
    def check(values: Any) -> None:
        before(values)
        if length_of(values[place]) != limit:
            raise ValueError(message)

    return check


@lru_cache
def _storer(layout: EventLayout) -> Any:
    """A compiled function `(place, values)` that writes what lies behind an event's head."""

    def typing_and_code(typing_context: Any, place: Any, values: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if layout.used_bytes < layout.size_bytes:
                last = builder.add(arguments[0], _WORD(layout.size_bytes - 8))
                builder.store(_WORD(0), builder.inttoptr(last, _WORD.as_pointer()), align=1)
            for number, field in enumerate(layout.fields):
                address = builder.add(arguments[0], _WORD(field.offset))
                value = builder.extract_value(arguments[1], number)
                _store(context, builder, address, value, values[number], field.type)
            return context.get_dummy_value()

        return types.void(types.int64, values), code

    return intrinsic(typing_and_code)


def _store(context: Any, builder: Any, address: Any, value: Any, found: Any, wanted: ValueType) -> None:
    if wanted.kind == "fixed":
        byte = ir.IntType(8).as_pointer()
        source = builder.inttoptr(builder.extract_value(value, 0), byte)
        cgutils.raw_memcpy(builder, builder.inttoptr(address, byte), source, _WORD(wanted.limit), 1)
        return
    if wanted.kind == "bool":
        stored = builder.zext(context.cast(builder, value, found, types.boolean), ir.IntType(8))
    elif wanted.kind == "float":
        stored = _number(builder, context.cast(builder, value, found, types.float64))
    else:
        stored = _narrowed(builder, value, found, 8 * wanted.size_bytes)
    builder.store(stored, builder.inttoptr(address, stored.type.as_pointer()), align=1)


def _number(builder: Any, value: Any) -> Any:
    """A float as its bits, with one for every NaN."""
    is_nan = builder.fcmp_unordered("uno", value, value)
    return builder.select(is_nan, _WORD(int(NAN_BITS)), builder.bitcast(value, _WORD))


def _narrowed(builder: Any, value: Any, found: Any, bits: int) -> Any:
    """The lowest bits of an integer, its sign extended where it has fewer."""
    wanted = ir.IntType(bits)
    if value.type.width > bits:
        return builder.trunc(value, wanted)
    if value.type.width < bits:
        return builder.sext(value, wanted) if getattr(found, "signed", False) else builder.zext(value, wanted)
    return value
