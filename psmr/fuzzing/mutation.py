"""Mutants: a valid input of a target, changed in one to four places; the same seed and case give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Literal

from xxhash import xxh3_64_intdigest

from psmr.fuzzing.target import Target

MUTANT_BYTES_MAX = 1 << 16
_SEED = Struct("<QQ")
_MASK = (1 << 64) - 1
_WIDTHS = (1, 2, 4, 8)
_HEAD_BYTES = 64
"""Half of the integers that are set lie within so many bytes from the start, where headers are."""
_BOUNDARIES = (
    0,
    1,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    1 << 20,
    1 << 24,
    1 << 28,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 62) - 1,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)


class Chance:
    """Numbers that a seed and a case decide; a draw costs less than one of `random`, and so does beginning anew."""

    __slots__ = ("_state",)

    def __init__(self, seed: int, case: int) -> None:
        self._state = xxh3_64_intdigest(_SEED.pack(seed & _MASK, case & _MASK))

    def below(self, limit: int) -> int:
        """A number from 0 to `limit - 1`; `limit` is below 2**32."""
        # A linear congruential generator (Knuth, MMIX); only its upper half is used.
        self._state = state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (state >> 32) * limit >> 32


Mutator = Callable[[bytearray, Chance, Target], None]


def mutant(target: Target, seed: int, case: int) -> bytes:
    """The input that `seed` and `case` make of the target's corpus."""
    chance = Chance(seed, case)
    data = bytearray(_one_of(target.corpus, chance))
    draw = chance.below(8)
    for _ in range(1 if draw < 5 else draw - 3):
        _MUTATORS[chance.below(len(_MUTATORS))](data, chance, target)
    if len(data) > MUTANT_BYTES_MAX:
        del data[MUTANT_BYTES_MAX:]
    if target.seal is not None and chance.below(2):
        target.seal(data)
    return bytes(data)


def _flip_bit(data: bytearray, chance: Chance, _: Target) -> None:
    if data:
        data[chance.below(len(data))] ^= 1 << chance.below(8)


def _set_byte(data: bytearray, chance: Chance, _: Target) -> None:
    if data:
        data[chance.below(len(data))] = chance.below(256)


def _truncate(data: bytearray, chance: Chance, _: Target) -> None:
    del data[chance.below(len(data) + 1) :]


def _extend(data: bytearray, chance: Chance, _: Target) -> None:
    count = 1 + chance.below(16)
    data += bytes(count) if chance.below(2) else bytes(chance.below(256) for _ in range(count))


def _delete(data: bytearray, chance: Chance, _: Target) -> None:
    start = chance.below(len(data) + 1)
    del data[start : start + 1 + chance.below(16)]


def _repeat(data: bytearray, chance: Chance, _: Target) -> None:
    start = chance.below(len(data) + 1)
    data[start:start] = data[start : start + 1 + chance.below(64)]


def _splice(data: bytearray, chance: Chance, target: Target) -> None:
    """The beginning of this input and the end of another valid one."""
    other = _one_of(target.corpus, chance)
    if chance.below(2):
        at = from_other = chance.below(min(len(data), len(other)) + 1)
    else:
        at, from_other = chance.below(len(data) + 1), chance.below(len(other) + 1)
    data[at:] = other[from_other:]


def _set_integer(data: bytearray, chance: Chance, _: Target) -> None:
    """An integer at a boundary, or one that is about this input's length, in either byte order."""
    width = _WIDTHS[chance.below(4)]
    if len(data) < width:
        return
    limit = len(data) if chance.below(2) else min(len(data), _HEAD_BYTES)
    start = chance.below(limit - width + 1) if limit >= width else 0
    if chance.below(2):
        start -= start % width
    value = _BOUNDARIES[chance.below(len(_BOUNDARIES))] if chance.below(4) else len(data) - chance.below(72)
    data[start : start + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, _order(chance))


def _add_to_integer(data: bytearray, chance: Chance, _: Target) -> None:
    """An integer, such as a length, a little larger or smaller."""
    width = _WIDTHS[chance.below(4)]
    if len(data) < width:
        return
    start = chance.below(len(data) - width + 1)
    start -= start % width
    order = _order(chance)
    value = int.from_bytes(data[start : start + width], order) + chance.below(33) - 16
    data[start : start + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, order)


def _insert_token(data: bytearray, chance: Chance, target: Target) -> None:
    """A piece of the format, between two bytes or over as many."""
    if not target.tokens:
        _set_byte(data, chance, target)
        return
    token = target.tokens[chance.below(len(target.tokens))]
    start = chance.below(len(data) + 1)
    data[start : start + (len(token) if chance.below(2) else 0)] = token


def _order(chance: Chance) -> Literal["little", "big"]:
    return "big" if chance.below(3) == 0 else "little"


def _one_of(corpus: Sequence[bytes], chance: Chance) -> bytes:
    return corpus[chance.below(len(corpus))]


_MUTATORS: tuple[Mutator, ...] = (
    _flip_bit,
    _set_byte,
    _truncate,
    _extend,
    _delete,
    _repeat,
    _splice,
    _set_integer,
    _set_integer,
    _add_to_integer,
    _insert_token,
)
