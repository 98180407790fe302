"""Real key streams: a file of little-endian 32-bit keys in the order of their access, `.xz` or plain."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.kv.calls import GET, PUT, CallWriter, Encoding, Numbers
from psmr.workload import Segment, WorkloadOptions

KEY_STREAM = "32-bit keys (.trace or .trace.xz)"
SUFFIXES = (".trace", ".trace.xz")
KEY_BYTES = 4
ACCESSES_AT_ONCE = 16_384


class MalformedTraceError(ValueError):
    """A file that is no key stream; says the file, what was expected and what was found."""


def read_keys(path: Path) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """All keys of a stream. Raises FileNotFoundError and MalformedTraceError.

    The name must say that it is one: nearly any file could be read as numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a stream of {KEY_STREAM}, found no file")
    if not path.name.endswith(SUFFIXES):
        raise MalformedTraceError(f"{path}: expected a stream of {KEY_STREAM}, found another kind of file by its name")
    try:
        content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    except lzma.LZMAError as error:
        raise MalformedTraceError(
            f"{path}: expected a file compressed by xz, found one that is not: {error}"
        ) from error
    if not content or len(content) % KEY_BYTES:
        raise MalformedTraceError(f"{path}: expected keys of {KEY_BYTES} bytes each, found {len(content)} bytes")
    return np.frombuffer(content, "<u4")


class TraceWorkload:
    """Each access is a get. The first of a key in the stream is followed by a put, as a cache is filled after a miss;
    so is every `put_every`-th access of the stream, as objects change.

    Clients take turns: of the stream in pieces of `options.batch` accesses, client *c* has c, c + clients, ….
    """

    def __init__(self, options: WorkloadOptions, encoding: Encoding, *, put_every: int) -> None:
        if options.input_file is None:
            raise ValueError("expected a stream to read, found no input file")
        self._options = options
        self._encoding = encoding
        self._keys = read_keys(options.input_file)
        self._is_put = np.zeros(len(self._keys), np.bool_)
        self._is_put[np.unique(self._keys, return_index=True)[1]] = True
        self._is_put[put_every - 1 :: put_every] = True

    def preload(self) -> Iterator[Sequence[Segment]]:
        """Nothing: the stream itself fills the store."""
        return iter(())

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """This client's share of the stream, once."""
        size = self._options.batch
        writer = CallWriter(client, size, self._encoding, loaded_keys=0)
        pieces_at_once = max(1, ACCESSES_AT_ONCE // size)
        begins = np.arange(client * size, len(self._keys), self._options.clients * size)
        for first in range(0, len(begins), pieces_at_once):
            accesses = (begins[first : first + pieces_at_once, None] + np.arange(size)).ravel()
            accesses = accesses[accesses < len(self._keys)]
            yield from writer.batches(*_calls(self._keys[accesses], self._is_put[accesses]))


def _calls(keys: Numbers, is_put: Numbers) -> tuple[Numbers, Numbers]:
    lengths = 1 + is_put.astype(np.int64)
    commands = np.full(int(lengths.sum()), GET)
    commands[(np.cumsum(lengths) - 1)[is_put]] = PUT
    return commands, np.repeat(keys.astype(np.int64), lengths)
