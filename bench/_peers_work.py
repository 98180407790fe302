"""The work that every system is given: writes of 32 bytes under keys of 16, and what they leave behind.

All bytes are hexadecimal digits, so that they may stand in any protocol. A lane is a set of keys with one writer, who writes
them in turn and over again, each time round with other values: what each key holds follows from the number of writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

KEYS = 100_000
KEY_BYTES = 16
VALUE_BYTES = 32
GENERATIONS = 3
"""Values of a key, taken in turn: a lost round of writes is seen unless it is a multiple of these."""
SAMPLE = 4096

Bytes = NDArray[np.uint8]
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


class Lane:
    """One writer's keys: `keys` (n, 16), and their `values` (GENERATIONS, n, 32). Lane `number` of `lanes` has every such key.

    Lanes of another `work` have other keys.
    """

    def __init__(self, work: int, number: int = 0, lanes: int = 1, keys: int = KEYS) -> None:
        names = (np.uint64(work + 1) << np.uint64(32)) + np.arange(number, keys, lanes, dtype=np.uint64)
        self.keys: Bytes = _hexadecimal(mixed(names))
        generations = [_hexadecimal(mixed(names + (np.uint64(one + 1) << np.uint64(48)))) for one in range(GENERATIONS)]
        self.values: Bytes = np.stack([np.hstack([digits, self.keys]) for digits in generations])

    def __len__(self) -> int:
        return len(self.keys)

    def writes(self, ahead: int) -> tuple[Bytes, Bytes]:
        """Keys and values of all writes until they repeat, and of `ahead` more, so that a slice may run over the end."""
        keys = np.tile(self.keys, (GENERATIONS, 1))
        values = self.values.reshape(-1, VALUE_BYTES)
        return np.vstack([keys, keys[:ahead]]), np.vstack([values, values[:ahead]])

    def expected(self, written: int, place: int) -> bytes | None:
        """What the key in that place holds after so many writes; None if it was not reached."""
        rounds = (written - place + len(self) - 1) // len(self)
        return self.values[(rounds - 1) % GENERATIONS, place].tobytes() if rounds > 0 else None

    def sample(self, written: int, size: int = SAMPLE) -> tuple[list[bytes], list[bytes | None]]:
        """Keys drawn from the whole lane, and what they must hold after so many writes."""
        places = np.random.default_rng(1).permutation(len(self))[:size].tolist()
        return [self.keys[place].tobytes() for place in places], [self.expected(written, place) for place in places]


class Requests:
    """Requests of equal size, one a write, encoded before the clock runs; they are taken in order, for ever."""

    def __init__(self, rows: Bytes, period: int) -> None:
        """`rows` (period + the most that are taken at once, bytes a request); after `period` they repeat."""
        self._bytes = memoryview(rows.tobytes())
        self._stride = rows.shape[1]
        self._period = period
        self.taken = 0

    def take(self, count: int) -> memoryview:
        """The next `count` requests, one after another."""
        begin = (self.taken % self._period) * self._stride
        self.taken += count
        return self._bytes[begin : begin + count * self._stride]


def requests(lane: Lane, ahead: int, *parts: bytes | str) -> Requests:
    """Requests put together from constant bytes, `"key"` and `"value"`; at most `ahead` are taken at once."""
    keys, values = lane.writes(ahead)
    columns: list[Any] = []
    for part in parts:
        if isinstance(part, bytes):
            columns.append(np.broadcast_to(np.frombuffer(part, np.uint8), (len(keys), len(part))))
        else:
            columns.append({"key": keys, "value": values}[part])
    return Requests(np.hstack(columns), len(lane) * GENERATIONS)


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Splitmix64's finalizer: distinct numbers stay distinct, and look random."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _hexadecimal(numbers: NDArray[np.uint64]) -> Bytes:
    """Sixteen digits each."""
    places = np.arange(60, -1, -4, dtype=np.uint64)
    digits: Bytes = _DIGITS[((numbers[:, None] >> places) & np.uint64(15)).astype(np.intp)]
    return digits
