"""Places of bits, as handlers ask for them: alike interpreted and compiled, for every word."""

from __future__ import annotations

import numpy as np
import pytest

from cdep.compiled import compiled
from psmr import highest_bit, lowest_bit

WORDS = [0, 1, 2, 3, 1 << 31, 1 << 32, 1 << 62, 1 << 63, (1 << 64) - 1, 0x00F0_0000_0000_0100]


@compiled
def compiled_lowest(word: np.uint64) -> int:
    return lowest_bit(word)


@compiled
def compiled_highest(word: np.uint64) -> int:
    return highest_bit(word)


@pytest.mark.parametrize("word", WORDS)
def test_the_lowest_and_the_highest_bit(word: int) -> None:
    places = [place for place in range(64) if word >> place & 1]
    lowest, highest = (places[0], places[-1]) if places else (64, -1)
    signed = np.uint64(word).astype(np.int64)
    for form in (np.uint64(word), signed, int(signed)):
        assert (lowest_bit(form), highest_bit(form)) == (lowest, highest)
    for number in (np.uint64(word), signed):
        assert (compiled_lowest(number), compiled_highest(number)) == (lowest, highest)


def test_a_float_has_no_bits() -> None:
    with pytest.raises(TypeError, match="found a float"):
        lowest_bit(np.float64(2.0))
