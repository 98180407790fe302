"""Byte values in compiled handlers: what `bytes` is to an interpreted one.

A value is an address and a length; it supports what handlers do with keys and values: `len`, comparison (with each other;
`==` and `!=` with literals too), indexing (an integer) and slicing without a step.
Its bytes lie in the record, or in the frame's arena, so
they do not change while the command runs.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic, models, register_model

from cdep.compiled import compiled, inlined, int64, overloaded, types
from psmr.state.words import load_u8, load_u64


class ByteValueType(types.Type):
    """Numba's type of a byte value: two int64, the address and the length."""

    def __init__(self) -> None:
        super().__init__(name="ByteValue")


byte_value = ByteValueType()


@register_model(ByteValueType)
class _ByteValueModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("address", types.int64), ("length", types.int64)])


@intrinsic
def byte_value_at(typing_context: Any, address: Any, length: Any) -> Any:
    """The byte value of `length` bytes at `address`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = ir.Constant(context.get_value_type(byte_value), ir.Undefined)
        value = builder.insert_value(value, arguments[0], 0)
        return builder.insert_value(value, arguments[1], 1)

    return byte_value(types.int64, types.int64), code


def _part(place: int) -> Any:
    def typing_and_code(typing_context: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.extract_value(arguments[0], place)

        return types.int64(byte_value), code

    return intrinsic(typing_and_code)


address_of = _part(0)
length_of = _part(1)


@overloaded(len)
def _length(value: Any) -> Any:
    if isinstance(value, ByteValueType):
        return lambda value: length_of(value)
    return None


def _equal(left: Any, right: Any) -> bool:
    length = length_of(left)
    if length != length_of(right):
        return False
    first = address_of(left)
    second = address_of(right)
    place = 0
    while place + 8 <= length:
        if load_u64(first + place) != load_u64(second + place):
            return False
        place += 8
    while place < length:
        if load_u8(first + place) != load_u8(second + place):
            return False
        place += 1
    return True


def _equal_to_literal(left: Any, right: Any) -> bool:
    if length_of(left) != len(right):
        return False
    for place in range(len(right)):
        if load_u8(address_of(left) + place) != right[place]:
            return False
    return True


def _equality(left: Any, right: Any) -> Any:
    if isinstance(left, ByteValueType) and isinstance(right, ByteValueType):
        return inlined(_equal)
    if isinstance(left, ByteValueType) and isinstance(right, types.Bytes):
        return inlined(_equal_to_literal)
    return None


@overloaded(operator.eq)
def _equals(left: Any, right: Any) -> Any:
    same = _equality(left, right)
    return None if same is None else lambda left, right: same(left, right)


@overloaded(operator.ne)
def _differs(left: Any, right: Any) -> Any:
    same = _equality(left, right)
    return None if same is None else lambda left, right: not same(left, right)


@compiled
def _order(first: int, first_length: int, second: int, second_length: int) -> int:
    """Negative, 0 or positive, as the first value sorts before, with or after the second, byte by byte."""
    for place in range(min(first_length, second_length)):
        difference = int64(load_u8(first + place)) - int64(load_u8(second + place))
        if difference != 0:
            return difference
    return first_length - second_length


@inlined
def _compare(left: Any, right: Any) -> int:
    return _order(address_of(left), length_of(left), address_of(right), length_of(right))


def _are_values(left: Any, right: Any) -> bool:
    return isinstance(left, ByteValueType) and isinstance(right, ByteValueType)


@overloaded(operator.lt)
def _is_less(left: Any, right: Any) -> Any:
    return (lambda left, right: _compare(left, right) < 0) if _are_values(left, right) else None


@overloaded(operator.le)
def _is_at_most(left: Any, right: Any) -> Any:
    return (lambda left, right: _compare(left, right) <= 0) if _are_values(left, right) else None


@overloaded(operator.gt)
def _is_greater(left: Any, right: Any) -> Any:
    return (lambda left, right: _compare(left, right) > 0) if _are_values(left, right) else None


@overloaded(operator.ge)
def _is_at_least(left: Any, right: Any) -> Any:
    return (lambda left, right: _compare(left, right) >= 0) if _are_values(left, right) else None


@inlined
def _byte(value: Any, place: int) -> int:
    length = length_of(value)
    if place < 0:
        place += length
    if place < 0 or place >= length:
        raise IndexError("index out of range")
    return int64(load_u8(address_of(value) + place))


@inlined
def _bound(place: int, length: int) -> int:
    if place < 0:
        place += length
    return min(max(place, 0), length)


@overloaded(operator.getitem)
def _item(value: Any, place: Any) -> Any:
    if not isinstance(value, ByteValueType):
        return None
    if isinstance(place, types.Integer):
        return lambda value, place: _byte(value, int64(place))
    if isinstance(place, types.SliceType) and not place.has_step:

        def part(value: Any, place: Any) -> Any:
            first = _bound(place.start, length_of(value))
            last = max(first, _bound(min(place.stop, length_of(value)), length_of(value)))
            return byte_value_at(address_of(value) + first, last - first)

        return part
    return None
