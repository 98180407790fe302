"""The fixed hash that every proxy and every replica computes alike: key → one of 64 groups.

Integers: within every aligned block of 64 keys each group occurs exactly once, so a dense array can be laid out
group by group in closed form (row of `key` inside its group: `key >> 6`), while keys with any stride still spread.
Bytes: 8 bytes at a time, little endian, the tail padded with zeros; the group is the hash's top 6 bits.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined, load_u8, load_u64

GROUPS = 64
PRIME = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_6 = np.uint64(6)
_27 = np.uint64(27)
_30 = np.uint64(30)
_31 = np.uint64(31)
_32 = np.uint64(32)
_58 = np.uint64(58)
_63 = np.uint64(63)
_8 = np.uint64(8)


@inlined
def mix(value: np.uint64) -> np.uint64:
    """splitmix64's finalizer (Steele, Lea, Flood, OOPSLA 2014): a bijection on 64 bits."""
    value = (value ^ (value >> _30)) * _FIRST
    value = (value ^ (value >> _27)) * _SECOND
    return value ^ (value >> _31)


@inlined
def group_of_u64(key: np.uint64) -> np.uint64:
    """The group, 0 to 63, of an integer key; a negative key is taken as its two's complement."""
    return (key ^ (mix(key >> _6) >> _58)) & _63


@inlined
def hash_bytes(address: int, length: int) -> np.uint64:
    """The 64-bit hash of `length` bytes at `address`."""
    value = np.uint64(length) * PRIME
    end = address + (length & ~7)
    while address < end:
        value = (value ^ load_u64(address)) * PRIME
        value ^= value >> _32
        address += 8
    if length & 7:
        tail = np.uint64(0)
        for place in range((length & 7) - 1, -1, -1):
            tail = (tail << _8) | np.uint64(load_u8(address + place))
        value = (value ^ tail) * PRIME
        value ^= value >> _32
    return mix(value)


@inlined
def group_of_bytes(address: int, length: int) -> np.uint64:
    """The group, 0 to 63, of a byte key at `address`."""
    return hash_bytes(address, length) >> _58


@compiled
def groups_of_u64(keys: np.ndarray) -> np.ndarray:
    """Groups of a column of integer keys (uint64 in, uint8 out)."""
    groups = np.empty(keys.size, np.uint8)
    for row in range(keys.size):
        groups[row] = group_of_u64(keys[row])
    return groups


@compiled
def groups_of_bytes(address: int, offsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Groups of a column of byte keys that lie at `address + offsets[row]` (uint8 out)."""
    groups = np.empty(offsets.size, np.uint8)
    for row in range(offsets.size):
        groups[row] = group_of_bytes(address + offsets[row], lengths[row])
    return groups
