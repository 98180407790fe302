"""Calls for the key-value stores: YCSB's core mixes (Cooper et al., SoCC 2010), a demonstration, real key streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from apps.distributions import Distribution, Generator, Ranks, Scrambled, Uniform, Zipfian
from apps.kv.calls import (
    CLEAR,
    COMPARE_AND_SET,
    DELETE,
    GET,
    LOADED_KEYS_MAX,
    PUT,
    SIZE,
    ByteEncoding,
    CallWriter,
    Encoding,
    IntegerEncoding,
    Numbers,
    loaded_value,
)
from apps.kv.trace import TraceWorkload
from apps.parameters import Parameters
from psmr.workload import Segment, Workload, WorkloadOptions

BLOCK = 16_384
"""Operations drawn at once."""
LONGEST_RANGE = 100


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of operations, in calls of a million; what is left over reads. `latest`: reads prefer what came last."""

    update: int = 0
    insert: int = 0
    ranges: int = 0
    read_modify_write: int = 0
    delete: int = 0
    size: int = 0
    clear: int = 0
    latest: bool = False


MIXES = {
    "A": Mix(update=500_000),
    "B": Mix(update=50_000),
    "C": Mix(),
    "D": Mix(insert=50_000, latest=True),
    "E": Mix(insert=50_000, ranges=950_000),
    "F": Mix(read_modify_write=500_000),
    "demo": Mix(update=250_000, read_modify_write=100_000, delete=100_000, size=2_000, clear=20),
}
MILLION = 1_000_000
UPDATE, INSERT, RANGE, READ_MODIFY_WRITE, REMOVE, COUNT, EMPTY, READ = range(8)


def byte_workload(options: WorkloadOptions) -> Workload:
    """Calls for `KV`; `value_bytes` (default 24) is the length of its values."""
    parameters = _parameters(options)
    return _workload(options, parameters, ByteEncoding(parameters.number("value_bytes", 24, 20, 256)))


def integer_workload(options: WorkloadOptions) -> Workload:
    """Calls for `IntegerKV`."""
    return _workload(options, _parameters(options), IntegerEncoding())


def _parameters(options: WorkloadOptions) -> Parameters:
    return Parameters(options.parameters, ("mix", "keys", "distribution", "value_bytes", "put_every"))


def _workload(options: WorkloadOptions, parameters: Parameters, encoding: Encoding) -> Workload:
    if options.input_file is not None:
        return TraceWorkload(options, encoding, put_every=parameters.number("put_every", 20))
    return MixWorkload(options, parameters, encoding)


class MixWorkload:
    """One of `MIXES` over `keys` loaded keys (default 10,000), chosen `distribution`=zipfian (default) or uniform."""

    def __init__(self, options: WorkloadOptions, parameters: Parameters, encoding: Encoding) -> None:
        self._options = options
        self._encoding = encoding
        self._mix = MIXES[parameters.choice("mix", "demo", tuple(MIXES))]
        self._keys = parameters.number("keys", 10_000, 2, LOADED_KEYS_MAX)
        is_zipfian = parameters.choice("distribution", "zipfian", ("zipfian", "uniform")) == "zipfian"
        ranks: Distribution = Zipfian(self._keys) if is_zipfian else Uniform(self._keys)
        self._chosen = ranks if self._mix.latest or not is_zipfian else Scrambled(ranks)

    def preload(self) -> Iterator[Sequence[Segment]]:
        """A put for every key."""
        for begin in range(0, self._keys, self._options.batch):
            keys = np.arange(begin, min(begin + self._options.batch, self._keys))
            columns = {"key": self._encoding.keys(keys), "value": self._encoding.values(loaded_value(keys))}
            yield [Segment("put", columns, len(keys))]

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Endless."""
        generator = np.random.Generator(np.random.PCG64([self._options.seed, client]))
        writer = CallWriter(client, self._options.batch, self._encoding, loaded_keys=self._keys)
        inserted = 0
        while True:
            operations = _draw_operations(self._mix, generator)
            keys = self._draw_keys(operations, generator, client, inserted)
            inserted += int((operations == INSERT).sum())
            yield from writer.batches(*_calls(operations, keys, self._keys, generator))

    def _draw_keys(self, operations: Numbers, generator: Generator, client: int, inserted: int) -> Ranks:
        """The key of each operation. Clients insert keys of their own: the loaded ones, then client + clients × n."""
        chosen = self._chosen.draw(generator, len(operations))
        own = inserted + np.cumsum(operations == INSERT)
        if self._mix.latest:
            chosen = np.where(chosen < own, self._own_key(client, own - 1 - chosen), self._keys - 1 - (chosen - own))
        return np.where(operations == INSERT, self._own_key(client, own - 1), chosen)

    def _own_key(self, client: int, number: Ranks) -> Ranks:
        return self._keys + client + self._options.clients * number


def _draw_operations(mix: Mix, generator: Generator) -> Numbers:
    shares = [mix.update, mix.insert, mix.ranges, mix.read_modify_write, mix.delete, mix.size, mix.clear]
    return np.searchsorted(np.cumsum(shares), generator.integers(0, MILLION, BLOCK), side="right")


_FIRST_CALL = np.array([PUT, PUT, GET, GET, DELETE, SIZE, CLEAR, GET])


def _calls(operations: Numbers, keys: Ranks, loaded_keys: int, generator: Generator) -> tuple[Numbers, Ranks]:
    """Operations as calls: a range is gets of consecutive keys, a read-modify-write a get and a compare-and-set."""
    lengths = np.ones(len(operations), np.int64)
    ranges = operations == RANGE
    lengths[ranges] = generator.integers(1, LONGEST_RANGE + 1, int(ranges.sum()))
    lengths[operations == READ_MODIFY_WRITE] = 2
    begins = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.sum())) - np.repeat(begins, lengths)
    commands = np.repeat(_FIRST_CALL[operations], lengths)
    call_keys = np.repeat(keys, lengths)
    is_range = np.repeat(ranges, lengths)
    call_keys[is_range] = (call_keys[is_range] + place[is_range]) % loaded_keys
    commands[(place == 1) & ~is_range] = COMPARE_AND_SET
    return commands, call_keys
