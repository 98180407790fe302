"""The hash map in shared memory: one implementation, called by compiled and by interpreted handlers alike.

A map is 64 partitions, one a group, each touched only by commands of its group. A partition is entries in order of
insertion, which never move, and an index that doubles:

    map       | header: 16 words | partition 0 | partition 1 | … | partition 63 |
    partition | live | used | free | level | pad to 128 bytes | index level 0, 1, 2 … | entries |
    index     | level L: 16 << L slots of (hash's high 32 bits, entry number + 1), 0 = empty; linear probing |
    entry     | hash | 1  (0: free; then the key's first word links to the next free entry) | key | value |

Space for all levels and entries up to the partition's capacity is reserved, not allocated: a page comes with its first
touch. A partition depends only on the order of its own group's commands, so replicas with any number of workers hold the
same bytes. Growing writes a fresh level and then one word, so a command that grew a partition can be undone like any other.

Header words: 0 entry_bytes, 1 part_bytes (the end of a byte key, which does not say its group), 2 value_offset,
3 entries_limit, 4 partition_bytes, 5 entries_offset, 8 whether the map was ever cleared.
"""

from __future__ import annotations

import numpy as np

from cdep.compiled import compiled, inlined, int64
from cdep.hashing import group_of_u64, hash_bytes, mix
from psmr.state.frame import CLEARED, note_derived, write_bytes, write_derived, write_word
from psmr.state.words import clear_bytes, copy_bytes, load_i64, load_u8, load_u64, store_i64

HEADER_BYTES = 128
PARTITION_HEADER_BYTES = 128
FIRST_SLOTS = 16
_ENTRY_BYTES, _PART_BYTES, _VALUE_OFFSET, _LIMIT, _PARTITION_BYTES, _ENTRIES_OFFSET, _WAS_CLEARED = (
    0,
    8,
    16,
    24,
    32,
    40,
    64,
)
_LIVE, _USED, _FREE, _LEVEL = 0, 8, 16, 24
_58 = np.uint64(58)
_32 = np.uint64(32)
_ONE = np.uint64(1)
_6 = np.uint64(6)
_GROUP_BITS = np.uint64(63 << 58)


class CapacityExceeded(Exception):
    """A map has no room for another key in that key's group."""


@inlined
def hash_of_u64(key: np.uint64) -> np.uint64:
    """The map's hash of an integer key; its lowest bit is set."""
    return mix(key) | _ONE


@inlined
def hash_of_bytes(base: int, address: int, length: int) -> np.uint64:
    """The map's hash of a byte key: its top 6 bits, which say the group, are those of the key without its part."""
    hashed = hash_bytes(address, length)
    part_bytes = load_i64(base + _PART_BYTES)
    if part_bytes == 0:
        return hashed
    owner = hash_bytes(address, max(length - part_bytes, 0))
    return (owner & _GROUP_BITS) | (hashed >> _6)


@inlined
def partition_of_u64(base: int, key: np.uint64) -> int:
    """The address of the partition that holds an integer key."""
    return base + HEADER_BYTES + int64(group_of_u64(key)) * load_i64(base + _PARTITION_BYTES)


@inlined
def partition_of_hash(base: int, hashed: np.uint64) -> int:
    """The address of the partition that holds a byte key of this hash."""
    return base + HEADER_BYTES + int64(hashed >> _58) * load_i64(base + _PARTITION_BYTES)


@inlined
def _index(partition: int) -> int:
    level = load_i64(partition + _LEVEL)
    return partition + PARTITION_HEADER_BYTES + 8 * FIRST_SLOTS * ((1 << level) - 1)


@inlined
def _last_slot(partition: int) -> int:
    return (FIRST_SLOTS << load_i64(partition + _LEVEL)) - 1


@inlined
def _entry(base: int, partition: int, number: int) -> int:
    return partition + load_i64(base + _ENTRIES_OFFSET) + number * load_i64(base + _ENTRY_BYTES)


@inlined
def _home(hashed: np.uint64, last_slot: int) -> int:
    return int64((hashed >> _32) & np.uint64(last_slot))


@inlined
def home_slot(partition: int, hashed: np.uint64) -> int:
    """The address of the index slot where a search for this hash begins."""
    return _index(partition) + 8 * _home(hashed, _last_slot(partition))


@inlined
def entry_of_slot(base: int, partition: int, word: np.uint64) -> int:
    """The address of the entry that a filled index slot leads to."""
    return _entry(base, partition, int64(word & np.uint64(0xFFFFFFFF)) - 1)


@inlined
def first_level(base: int) -> int:
    """How often the index of the first partition has doubled; the others' are like it when keys are evenly spread."""
    level: int = load_i64(base + HEADER_BYTES + _LEVEL)
    return level


@inlined
def _slot_word(hashed: np.uint64, number: int) -> int:
    return int64(((hashed >> _32) << _32) | np.uint64(number + 1))


@inlined
def _same_bytes(left: int, right: int, length: int) -> bool:
    place = 0
    while place + 8 <= length:
        if load_u64(left + place) != load_u64(right + place):
            return False
        place += 8
    while place < length:
        if load_u8(left + place) != load_u8(right + place):
            return False
        place += 1
    return True


@inlined
def _key_matches(entry: int, key: np.uint64, length: int) -> bool:
    """`length` −1: an integer key; otherwise `key` is the address of that many bytes."""
    if length < 0:
        return load_u64(entry + 8) == key
    return load_i64(entry + 8) == length and _same_bytes(entry + 16, int64(key), length)


@inlined
def _find_slot(base: int, partition: int, hashed: np.uint64, key: np.uint64, length: int) -> int:
    """The address of the index slot that leads to the key, or of the empty slot where it would go."""
    index = _index(partition)
    last = _last_slot(partition)
    place = _home(hashed, last)
    tag = hashed >> _32
    while True:
        slot = index + 8 * place
        word = load_u64(slot)
        if word == 0:
            return slot
        if (word >> _32) == tag:
            number = int64(word & np.uint64(0xFFFFFFFF)) - 1
            if _key_matches(_entry(base, partition, number), key, length):
                return slot
        place = (place + 1) & last


@inlined
def _find(base: int, partition: int, hashed: np.uint64, key: np.uint64, length: int) -> int:
    word = load_u64(_find_slot(base, partition, hashed, key, length))
    if word == 0:
        return 0
    return _entry(base, partition, int64(word & np.uint64(0xFFFFFFFF)) - 1)


@inlined
def find_u64(base: int, key: np.uint64) -> int:
    """The address of the entry of an integer key, or 0. Inlined, as `insert_u64` is: the call would cost as much as the search."""
    return _find(base, partition_of_u64(base, key), hash_of_u64(key), key, -1)


@compiled
def find_bytes(base: int, address: int, length: int) -> int:
    """The address of the entry of a byte key, or 0."""
    hashed = hash_of_bytes(base, address, length)
    return _find(base, partition_of_hash(base, hashed), hashed | _ONE, np.uint64(address), length)


@compiled
def _grow(base: int, frame: int, partition: int) -> None:
    level = load_i64(partition + _LEVEL) + 1
    slots = FIRST_SLOTS << level
    index = partition + PARTITION_HEADER_BYTES + 8 * FIRST_SLOTS * ((1 << level) - 1)
    if load_i64(frame + CLEARED) != 0:
        # This command cleared the map: undoing it brings back a level that stands where this one is about to be.
        for slot in range(slots):
            note_derived(frame, index + 8 * slot)
    clear_bytes(index, 8 * slots)
    _fill_index(base, partition, level)
    write_derived(frame, partition + _LEVEL, level)


@compiled
def _blank(base: int, frame: int, entry: int) -> None:
    """Take away what an entry held before the map was cleared.

    A shorter key or value leaves the rest of it in place, and the rest counts in digests: those of a replica that began with
    a snapshot, which has nothing behind the entries in use, would differ from those of one that did not.
    """
    for place in range(0, load_i64(base + _ENTRY_BYTES), 8):
        if load_i64(entry + place) != 0:
            write_derived(frame, entry + place, 0)


@inlined
def _new_entry(base: int, frame: int, partition: int) -> int:
    """The number of an entry to use: the one freed last, or the next never used."""
    free = load_i64(partition + _FREE)
    if free != 0:
        write_word(frame, partition + _FREE, load_i64(_entry(base, partition, free - 1) + 8))
        return free - 1
    used = load_i64(partition + _USED)
    write_word(frame, partition + _USED, used + 1)
    if load_i64(base + _WAS_CLEARED) != 0:
        _blank(base, frame, _entry(base, partition, used))
    return used


@inlined
def _insert(base: int, frame: int, partition: int, hashed: np.uint64, key: np.uint64, length: int) -> int:
    slot = _find_slot(base, partition, hashed, key, length)
    word = load_u64(slot)
    if word != 0:
        return _entry(base, partition, int64(word & np.uint64(0xFFFFFFFF)) - 1)
    live = load_i64(partition + _LIVE)
    # Before growing: there is no room for a level that more than `_LIMIT` keys would need.
    if live >= load_i64(base + _LIMIT):
        raise CapacityExceeded("the map is full for this key's group; declare a larger capacity")
    if 8 * (live + 1) > 5 * (_last_slot(partition) + 1):
        _grow(base, frame, partition)
        slot = _find_slot(base, partition, hashed, key, length)
    number = _new_entry(base, frame, partition)
    entry = _entry(base, partition, number)
    write_derived(frame, slot, _slot_word(hashed, number))
    write_word(frame, partition + _LIVE, live + 1)
    write_word(frame, entry, int64(hashed))
    if length < 0:
        write_word(frame, entry + 8, int64(key))
    else:
        write_word(frame, entry + 8, length)
        write_bytes(frame, entry + 16, int64(key), length)
    return entry


@inlined
def insert_u64(base: int, frame: int, key: np.uint64) -> int:
    """The address of the entry of an integer key, made if there is none. Raises `CapacityExceeded`."""
    return _insert(base, frame, partition_of_u64(base, key), hash_of_u64(key), key, -1)


@compiled
def insert_bytes(base: int, frame: int, address: int, length: int) -> int:
    """The address of the entry of a byte key, made if there is none. Raises `CapacityExceeded`."""
    hashed = hash_of_bytes(base, address, length)
    return _insert(base, frame, partition_of_hash(base, hashed), hashed | _ONE, np.uint64(address), length)


@inlined
def _close_gap(frame: int, partition: int, slot: int) -> None:
    """Empty an index slot by moving later slots of the same run back (Knuth 6.4, algorithm R): no tombstones."""
    index = _index(partition)
    last = _last_slot(partition)
    gap = (slot - index) >> 3
    place = gap
    while True:
        place = (place + 1) & last
        word = load_u64(index + 8 * place)
        if word == 0:
            break
        home = int64((word >> _32) & np.uint64(last))
        if ((place - home) & last) >= ((place - gap) & last):
            write_derived(frame, index + 8 * gap, int64(word))
            gap = place
    write_derived(frame, index + 8 * gap, 0)


@inlined
def _remove(base: int, frame: int, partition: int, slot: int) -> bool:
    word = load_u64(slot)
    if word == 0:
        return False
    number = int64(word & np.uint64(0xFFFFFFFF)) - 1
    _close_gap(frame, partition, slot)
    entry = _entry(base, partition, number)
    write_word(frame, entry, 0)
    write_word(frame, entry + 8, load_i64(partition + _FREE))
    write_word(frame, partition + _FREE, number + 1)
    write_word(frame, partition + _LIVE, load_i64(partition + _LIVE) - 1)
    return True


@compiled
def remove_u64(base: int, frame: int, key: np.uint64) -> bool:
    """Remove an integer key; whether it was there."""
    partition = partition_of_u64(base, key)
    return _remove(base, frame, partition, _find_slot(base, partition, hash_of_u64(key), key, -1))


@compiled
def remove_bytes(base: int, frame: int, address: int, length: int) -> bool:
    """Remove a byte key; whether it was there."""
    hashed = hash_of_bytes(base, address, length)
    partition = partition_of_hash(base, hashed)
    slot = _find_slot(base, partition, hashed | _ONE, np.uint64(address), length)
    return _remove(base, frame, partition, slot)


@compiled
def count(base: int) -> int:
    """How many keys the map holds; only a command ordered against every writer may ask."""
    total = 0
    for group in range(64):
        total += load_i64(base + HEADER_BYTES + group * load_i64(base + _PARTITION_BYTES) + _LIVE)
    return total


@compiled
def clear(base: int, frame: int) -> None:
    """Forget every key; costs 64 partitions, not their content."""
    store_i64(frame + CLEARED, 1)
    store_i64(base + _WAS_CLEARED, 1)
    for group in range(64):
        partition = base + HEADER_BYTES + group * load_i64(base + _PARTITION_BYTES)
        if load_i64(partition + _USED) != 0:
            for word in range(3):
                write_word(frame, partition + 8 * word, 0)
            write_derived(frame, partition + _LEVEL, 0)
            for slot in range(FIRST_SLOTS):
                write_derived(frame, partition + PARTITION_HEADER_BYTES + 8 * slot, 0)


@compiled
def rebuild(base: int, partition: int, stated: int, level: int) -> None:
    """Fill an empty partition: live, used, free and then the entries are at `stated`; its index gets the level."""
    copy_bytes(partition, stated, 24)
    store_i64(partition + _LEVEL, level)
    used = load_i64(partition + _USED)
    copy_bytes(partition + load_i64(base + _ENTRIES_OFFSET), stated + 24, used * load_i64(base + _ENTRY_BYTES))
    _fill_index(base, partition, level)


@inlined
def _fill_index(base: int, partition: int, level: int) -> None:
    """Put every entry into the empty index of a level."""
    index = partition + PARTITION_HEADER_BYTES + 8 * FIRST_SLOTS * ((1 << level) - 1)
    last = (FIRST_SLOTS << level) - 1
    for number in range(load_i64(partition + _USED)):
        hashed = load_u64(_entry(base, partition, number))
        if hashed != 0:
            place = _home(hashed, last)
            while load_i64(index + 8 * place) != 0:
                place = (place + 1) & last
            store_i64(index + 8 * place, _slot_word(hashed, number))


@compiled
def next_entry(base: int, cursor: int) -> int:
    """The cursor of the next live entry after `cursor` (−1 to start), or −1: `group << 32 | entry number`.

    The order is by group, then by place of insertion: the same on every replica.
    """
    group = 0 if cursor < 0 else cursor >> 32
    number = 0 if cursor < 0 else (cursor & 0xFFFFFFFF) + 1
    while group < 64:
        partition = base + HEADER_BYTES + group * load_i64(base + _PARTITION_BYTES)
        used = load_i64(partition + _USED)
        while number < used:
            if load_u64(_entry(base, partition, number)) != 0:
                return (group << 32) | number
            number += 1
        group += 1
        number = 0
    return -1


@inlined
def entry_at(base: int, cursor: int) -> int:
    """The address of the entry at a cursor that `next_entry` returned."""
    partition = base + HEADER_BYTES + (cursor >> 32) * load_i64(base + _PARTITION_BYTES)
    return _entry(base, partition, cursor & 0xFFFFFFFF)


@inlined
def value_address(base: int, entry: int) -> int:
    """Where an entry's value lies."""
    return entry + load_i64(base + _VALUE_OFFSET)


def levels_for(entries: int) -> int:
    """The highest index level that `entries` entries need."""
    level = 0
    while 8 * entries > 5 * (FIRST_SLOTS << level):
        level += 1
    return level
