"""From arrays of drawn calls to the batches that a client sends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from psmr.workload import Segment

COMMANDS = ("get", "put", "delete", "compare_and_set", "size", "clear")
GET, PUT, DELETE, COMPARE_AND_SET, SIZE, CLEAR = range(6)
LOADED_KEYS_MAX = 1 << 40

Numbers = np.ndarray[Any, Any]


class Encoding(Protocol):
    """How a store writes keys and values, each given by its number."""

    def keys(self, numbers: Numbers) -> Any:
        """The column of these keys."""

    def values(self, numbers: Numbers) -> Any:
        """The column of these values."""


class ByteEncoding:
    """Keys `user7`; values that begin with their number, filled up to `value_bytes`."""

    def __init__(self, value_bytes: int) -> None:
        self._value_bytes = value_bytes

    def keys(self, numbers: Numbers) -> list[bytes]:
        return [b"user%d" % number for number in numbers.tolist()]

    def values(self, numbers: Numbers) -> list[bytes]:
        width = self._value_bytes
        return [(b"%d" % number).ljust(width, b".") for number in numbers.tolist()]


class IntegerEncoding:
    """Keys and values are their numbers."""

    def keys(self, numbers: Numbers) -> Numbers:
        return numbers.astype(np.uint64)

    def values(self, numbers: Numbers) -> Numbers:
        return numbers.astype(np.uint64)


def loaded_value(keys: Numbers) -> Numbers:
    """The number of the value that a key is loaded with; no client writes it again."""
    return keys + 1


class CallWriter:
    """One client's calls as batches: gives each write a value of its own, and each compare-and-set the value to expect.

    That is the one that this client wrote last under the key, or the loaded one; another client may have been faster.
    """

    def __init__(self, client: int, batch: int, encoding: Encoding, *, loaded_keys: int) -> None:
        self._batch = batch
        self._encoding = encoding
        self._loaded_keys = loaded_keys
        self._next_value = (client + 1) * LOADED_KEYS_MAX + 1
        self._last: dict[int, int] = {}

    def batches(self, commands: Numbers, keys: Numbers) -> Iterator[Sequence[Segment]]:
        """Calls in order: `commands` are places in COMMANDS, `keys` numbers of keys (any for calls without one)."""
        values = np.arange(self._next_value, self._next_value + len(commands))
        self._next_value += len(commands)
        columns = {
            "key": self._encoding.keys(keys),
            "value": self._encoding.values(values),
            "expected": self._encoding.values(self._expected(commands, keys, values)),
        }
        cuts = np.flatnonzero(np.diff(commands)) + 1
        ends = np.union1d(np.union1d(cuts, np.arange(0, len(commands), self._batch)), [len(commands)]).tolist()
        kinds = commands.tolist()
        segments: list[Segment] = []
        for begin, end in pairwise(ends):
            segments.append(_segment(kinds[begin], columns, begin, end))
            if end % self._batch == 0 or end == len(kinds):
                yield segments
                segments = []

    def _expected(self, commands: Numbers, keys: Numbers, values: Numbers) -> Numbers:
        expected = np.zeros(len(commands), np.int64)
        if not (commands == COMPARE_AND_SET).any():
            return expected
        last = self._last
        writes = np.flatnonzero((commands == PUT) | (commands == COMPARE_AND_SET))
        columns = (writes, commands[writes], keys[writes], values[writes])
        for place, command, key, value in zip(*(column.tolist() for column in columns), strict=True):
            if command == COMPARE_AND_SET:
                expected[place] = last.get(key, key + 1 if key < self._loaded_keys else 0)
            last[key] = value
        return expected


def _segment(command: int, columns: dict[str, Any], begin: int, end: int) -> Segment:
    names = _PARAMETERS[command]
    return Segment(COMMANDS[command], {name: columns[name][begin:end] for name in names}, end - begin)


_PARAMETERS = (("key",), ("key", "value"), ("key",), ("key", "expected", "value"), (), ())
