"""Memory on its way before it is needed: what a key leads to in a map, fetched without waiting for it.

A map that does not fit into a core's own cache makes each command wait twice, for an index slot and for an entry. A worker
knows its next rows; `touch_slot` for all of them and then `touch_entry` for all of them make these waits overlap. Nothing is
written, and what is read may be out of date without harm: it only says what to fetch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from cdep.compiled import inlined, overloaded, types
from cdep.hashing import hash_bytes
from psmr.state import map_core
from psmr.state.byte_values import ByteValueType, address_of, length_of
from psmr.state.compiled_containers import MapType, base_of, integer_bits
from psmr.state.words import load_u64

LARGE_LEVEL = 7
"""From 2,048 slots on in each of the 64 partitions' indexes, 1 MiB in all, a map does not fit into a core's own cache."""
_PROBES = 4
_32 = np.uint64(32)
_ONE = np.uint64(1)


@intrinsic
def fetch(typing_context: Any, address: Any) -> Any:
    """Have the processor fetch the line at `address`, whatever is there, without waiting for it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(prefetch, [builder.inttoptr(arguments[0], pointer), read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), code


@inlined
def _fetch_slot(partition: int, hashed: np.uint64) -> None:
    fetch(map_core.home_slot(partition, hashed))


@inlined
def _fetch_entry(base: int, partition: int, hashed: np.uint64) -> None:
    """Fetch the entry that the index seems to have for the key; its key is not looked at."""
    slot = map_core.home_slot(partition, hashed)
    for _ in range(_PROBES):
        word = load_u64(slot)
        if word == 0:
            return
        if word >> _32 == hashed >> _32:
            fetch(map_core.entry_of_slot(base, partition, word))
            return
        slot += 8


def is_large(container: Any) -> bool:
    """Whether a map is too large for a core's own caches, as far as its first partition says; for compiled code only."""
    raise NotImplementedError


def touch_slot(container: Any, key: Any) -> None:
    """Fetch the index slot where the key is searched first; nothing if it is not of the map's kind; for compiled code only."""
    raise NotImplementedError


def touch_entry(container: Any, key: Any) -> None:
    """Fetch the key's entry, as far as the index, which should be there by now, tells; for compiled code only."""
    raise NotImplementedError


@overloaded(is_large)
def _is_large(container: Any) -> Any:
    return lambda container: map_core.first_level(base_of(container)) >= LARGE_LEVEL


def _is_of_kind(container: Any, key: Any) -> bool:
    wanted: type = ByteValueType if container.key_type.key_kind == "bytes" else types.Integer
    return isinstance(container, MapType) and isinstance(key, wanted)


@overloaded(touch_slot)
def _touch_slot(container: Any, key: Any) -> Any:
    if not _is_of_kind(container, key):
        return lambda container, key: None
    if container.key_type.key_kind == "integer":

        def touch_integer(container: Any, key: Any) -> None:
            bits = integer_bits(key)
            _fetch_slot(map_core.partition_of_u64(base_of(container), bits), map_core.hash_of_u64(bits))

        return touch_integer

    def touch_bytes(container: Any, key: Any) -> None:
        hashed = hash_bytes(address_of(key), length_of(key))
        _fetch_slot(map_core.partition_of_hash(base_of(container), hashed), hashed | _ONE)

    return touch_bytes


@overloaded(touch_entry)
def _touch_entry(container: Any, key: Any) -> Any:
    if not _is_of_kind(container, key):
        return lambda container, key: None
    if container.key_type.key_kind == "integer":

        def touch_integer(container: Any, key: Any) -> None:
            bits = integer_bits(key)
            base = base_of(container)
            _fetch_entry(base, map_core.partition_of_u64(base, bits), map_core.hash_of_u64(bits))

        return touch_integer

    def touch_bytes(container: Any, key: Any) -> None:
        base = base_of(container)
        hashed = hash_bytes(address_of(key), length_of(key))
        _fetch_entry(base, map_core.partition_of_hash(base, hashed), hashed | _ONE)

    return touch_bytes
