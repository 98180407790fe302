"""The containers as Numba types: the same methods, for compiled handlers.

A container in compiled code is two words, where its data begins and the worker's frame; everything else (offsets, widths,
limits) is part of its type and so a constant in the machine code. The algorithms are those that interpreted handlers call.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, register_model

from cdep.compiled import compiled, inlined, int64, overloaded, overloaded_method, types
from cdep.types import ValueType
from psmr.state import map_core, rows
from psmr.state.array import Column
from psmr.state.byte_values import ByteValueType, address_of, byte_value_at, length_of
from psmr.state.frame import SCRATCH, SCRATCH_USED, arena_copy, arena_take
from psmr.state.kinds import kind_of
from psmr.state.words import copy_bytes, load_i64, store_i64, store_u8


class ContainerType(types.Type):
    """Numba's type of a container: (base, frame)."""


class MapType(ContainerType):
    """A `Map`."""

    def __init__(self, key: ValueType, value: ValueType) -> None:
        self.key_type = key
        self.value = value
        super().__init__(name=f"psmr.Map({key.name}, {value.name})")


class ColumnType(ContainerType):
    """An `Array`, or one field of a `Table`."""

    def __init__(self, column: Column[Any]) -> None:
        self.value = column.value
        self.layout = (column.offset, column.capacity, column.row_bytes, column.group_bytes, column.block_bits)
        super().__init__(name=f"psmr.Column({column.value.name}, {self.layout})")


class TableType(ContainerType):
    """A `Table`; its attributes are columns."""

    def __init__(self, columns: dict[str, Column[Any]]) -> None:
        self.columns = {name: ColumnType(column) for name, column in columns.items()}
        fields = ", ".join(f"{name}: {column.name}" for name, column in self.columns.items())
        super().__init__(name=f"psmr.Table({fields})")


class ScratchType(ContainerType):
    """A `Scratch`; its base is its number."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(name=f"psmr.Scratch({limit})")


@register_model(MapType)
@register_model(ColumnType)
@register_model(TableType)
@register_model(ScratchType)
class ContainerModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("base", types.int64), ("frame", types.int64)])


def _word(place: int) -> Any:
    def typing_and_code(typing_context: Any, container: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.extract_value(arguments[0], place)

        return (types.int64(container), code) if isinstance(container, ContainerType) else None

    return intrinsic(typing_and_code)


base_of = _word(0)
frame_of = _word(1)


@intrinsic
def integer_bits(typing_context: Any, value: Any) -> Any:
    """An integer (or boolean) as 64 bits, its sign extended."""
    if not isinstance(value, types.Integer | types.Boolean):
        return None

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if isinstance(value, types.Boolean):
            return builder.zext(arguments[0], ir.IntType(64))
        if value.bitwidth == 64:
            return arguments[0]
        extend = builder.sext if value.signed else builder.zext
        return extend(arguments[0], ir.IntType(64))

    return types.uint64(value), code


def require(found: Any, wanted: ValueType, place: str) -> None:
    """Refuse, at compilation, a value whose type cannot stand for `wanted`."""
    if wanted.kind in ("bytes", "fixed"):
        fits = isinstance(found, ByteValueType)
    elif wanted.kind == "float":
        fits = isinstance(found, types.Float | types.Integer)
    elif wanted.kind == "bool":
        fits = isinstance(found, types.Boolean | types.Integer)
    else:
        fits = isinstance(found, types.Integer | types.Boolean)
    if not fits:
        hint = " (u64 with a signed value gives a float: write u64(1))" if isinstance(found, types.Float) else ""
        raise TypingError(f"{place}: expected {wanted.name}, found {found}{hint}")


@inlined
def _find_integer(base: int, key: Any) -> int:
    return map_core.find_u64(base, integer_bits(key))


@inlined
def _find_bytes(base: int, key: Any) -> int:
    return map_core.find_bytes(base, address_of(key), length_of(key))


def _finder(key: ValueType) -> Any:
    return _find_integer if key.key_kind == "integer" else _find_bytes


@inlined
def _insert_integer(base: int, frame: int, key: Any) -> int:
    return map_core.insert_u64(base, frame, integer_bits(key))


@lru_cache
def _byte_inserter(limit: int) -> Any:
    message = f"a key is longer than the {limit} bytes that the map was declared with"

    @inlined
    def insert(base: int, frame: int, key: Any) -> int:
        if length_of(key) > limit:
            raise ValueError(message)
        return map_core.insert_bytes(base, frame, address_of(key), length_of(key))

    return insert


def _inserter(key: ValueType) -> Any:
    return _insert_integer if key.key_kind == "integer" else _byte_inserter(key.limit)


@overloaded_method(MapType, "get")
def _map_get(self: Any, key: Any, default: Any = None) -> Any:
    require(key, self.key_type, "Map.get: key")
    find, kind = _finder(self.key_type), kind_of(self.value)
    read, seen = kind.read, kind.seen
    if isinstance(default, types.NoneType | types.Omitted) or default is None:

        def get_or_none(self: Any, key: Any, default: Any = None) -> Any:
            entry = find(base_of(self), key)
            if entry == 0:
                return None
            return read(frame_of(self), map_core.value_address(base_of(self), entry))

        return get_or_none
    require(default, self.value, "Map.get: default")
    if self.value.kind in ("bytes", "fixed"):

        def get_bytes(self: Any, key: Any, default: Any = None) -> Any:
            entry = find(base_of(self), key)
            if entry == 0:
                return default
            return read(frame_of(self), map_core.value_address(base_of(self), entry))

        return get_bytes

    def get(self: Any, key: Any, default: Any = None) -> Any:
        entry = find(base_of(self), key)
        if entry == 0:
            return seen(default)
        return read(frame_of(self), map_core.value_address(base_of(self), entry))

    return get


@overloaded_method(MapType, "put")
def _map_put(self: Any, key: Any, value: Any) -> Any:
    require(key, self.key_type, "Map.put: key")
    require(value, self.value, "Map.put: value")
    insert, write = _inserter(self.key_type), kind_of(self.value).write

    def put(self: Any, key: Any, value: Any) -> None:
        entry = insert(base_of(self), frame_of(self), key)
        write(frame_of(self), map_core.value_address(base_of(self), entry), value)

    return put


@overloaded_method(MapType, "remove")
def _map_remove(self: Any, key: Any) -> Any:
    require(key, self.key_type, "Map.remove: key")
    if self.key_type.key_kind == "integer":
        return lambda self, key: map_core.remove_u64(base_of(self), frame_of(self), integer_bits(key))
    return lambda self, key: map_core.remove_bytes(base_of(self), frame_of(self), address_of(key), length_of(key))


@overloaded(operator.contains)
def _map_contains(container: Any, key: Any) -> Any:
    if not isinstance(container, MapType):
        return None
    require(key, container.key_type, "in Map: key")
    find = _finder(container.key_type)
    return lambda container, key: find(base_of(container), key) != 0


@overloaded(len)
def _length(container: Any) -> Any:
    if isinstance(container, MapType):
        return lambda container: map_core.count(base_of(container))
    if isinstance(container, ColumnType):
        capacity = container.layout[1]
        return lambda container: capacity
    return None


@overloaded_method(MapType, "clear")
def _map_clear(self: Any) -> Any:
    return lambda self: map_core.clear(base_of(self), frame_of(self))


@overloaded_method(MapType, "next")
def _map_next(self: Any, cursor: Any) -> Any:
    return lambda self, cursor: map_core.next_entry(base_of(self), cursor)


@overloaded_method(MapType, "key_at")
def _map_key_at(self: Any, cursor: Any) -> Any:
    if self.key_type.key_kind == "integer":
        seen = kind_of(self.key_type).seen
        return lambda self, cursor: seen(load_i64(map_core.entry_at(base_of(self), cursor) + 8))

    def key_at(self: Any, cursor: Any) -> Any:
        entry = map_core.entry_at(base_of(self), cursor)
        length = load_i64(entry + 8)
        place = arena_take(frame_of(self), length)
        copy_bytes(place, entry + 16, length)
        return byte_value_at(place, length)

    return key_at


@overloaded_method(MapType, "value_at")
def _map_value_at(self: Any, cursor: Any) -> Any:
    read = kind_of(self.value).read

    def value_at(self: Any, cursor: Any) -> Any:
        entry = map_core.entry_at(base_of(self), cursor)
        return read(frame_of(self), map_core.value_address(base_of(self), entry))

    return value_at


@overloaded(operator.getitem)
def _column_item(column: Any, index: Any) -> Any:
    if not isinstance(column, ColumnType) or not isinstance(index, types.Integer):
        return None
    offset, capacity, row_bytes, group_bytes, bits = column.layout
    read = kind_of(column.value).read

    def item(column: Any, index: Any) -> Any:
        row = rows.row_address(base_of(column), int64(index), capacity, row_bytes, group_bytes, bits)
        return read(frame_of(column), row + offset)

    return item


@overloaded(operator.setitem)
def _column_set(column: Any, index: Any, value: Any) -> Any:
    if not isinstance(column, ColumnType) or not isinstance(index, types.Integer):
        return None
    require(value, column.value, "column[index] = value")
    offset, capacity, row_bytes, group_bytes, bits = column.layout
    write = kind_of(column.value).write

    def set_item(column: Any, index: Any, value: Any) -> None:
        row = rows.row_address(base_of(column), int64(index), capacity, row_bytes, group_bytes, bits)
        write(frame_of(column), row + offset, value)

    return set_item


@inlined
def _scratch_place(scratch: Any) -> int:
    return frame_of(scratch) + SCRATCH + 16 * base_of(scratch)


@overloaded_method(ScratchType, "begin")
def _scratch_begin(self: Any) -> Any:
    limit = self.limit

    def begin(self: Any) -> None:
        _begin(frame_of(self), _scratch_place(self), limit)

    return begin


@compiled
def _begin(frame: int, place: int, limit: int) -> None:
    if load_i64(place) == 0:
        store_i64(place, arena_take(frame, limit))
        store_i64(frame + SCRATCH_USED, 1)
    store_i64(place + 8, 0)


@inlined
def _begun(place: int) -> int:
    """Where the value that is being built lies."""
    built = load_i64(place)
    if built == 0:
        raise ValueError("the command has begun no value; call begin() first")
    return built


@compiled
def _extend(place: int, source: int, length: int, limit: int) -> None:
    built = load_i64(place + 8)
    if built + length > limit:
        raise ValueError("the value being built is longer than its limit")
    copy_bytes(_begun(place) + built, source, length)
    store_i64(place + 8, built + length)


@overloaded_method(ScratchType, "append")
def _scratch_append(self: Any, data: Any) -> Any:
    limit = self.limit
    return lambda self, data: _extend(_scratch_place(self), address_of(data), length_of(data), limit)


@overloaded_method(ScratchType, "append_byte")
def _scratch_append_byte(self: Any, byte: Any) -> Any:
    limit = self.limit

    def append_byte(self: Any, byte: Any) -> None:
        place = _scratch_place(self)
        built = load_i64(place + 8)
        if built + 1 > limit:
            raise ValueError("the value being built is longer than its limit")
        store_u8(_begun(place) + built, np.uint8(byte))
        store_i64(place + 8, built + 1)

    return append_byte


@overloaded_method(ScratchType, "value")
def _scratch_value(self: Any) -> Any:
    def value(self: Any) -> Any:
        place = _scratch_place(self)
        length = load_i64(place + 8)
        return byte_value_at(arena_copy(frame_of(self), _begun(place), length), length)

    return value
