"""Calls for the nameserver: a generated zone under a mix of commands, or a real zone and its real updates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from apps.distributions import Distribution, Generator, Scrambled, Uniform, Zipfian
from apps.nameserver.generated_zone import delegated_name, generated_zone
from apps.nameserver.packing import ADD, CHANGES_BYTES_MAX, REMOVE, Change, Record, pack_changes, pack_updates
from apps.nameserver.record_data import KINDS
from apps.nameserver.zone_file import find_input, read_updates, read_zone
from apps.parameters import Parameters
from psmr.workload import Segment, Workload, WorkloadOptions

BLOCK = 8_192
"""Calls drawn at once."""
LOOKUP, ADD_RECORD, REMOVE_RECORD, LIST, UPDATE = range(5)
SHARES = {LOOKUP: 0.9, ADD_RECORD: 0.06, REMOVE_RECORD: 0.038, LIST: 0.001, UPDATE: 0.001}
ADDRESSES = 8
"""Addresses that come and go at a name: so many records it can have more than the zone began with."""
NAMES_IN_UPDATE = 4
TEXT = 16
"""The kind of the records that updates write (RFC 1035: TXT)."""

_KINDS_LOOKED_UP = np.array([KINDS["NS"], KINDS["A"], KINDS["DS"], 255])


def workload(options: WorkloadOptions) -> Workload:
    """Calls for `Nameserver`."""
    parameters = Parameters(options.parameters, ("names", "distribution", "limit"))
    is_zipfian = parameters.choice("distribution", "zipfian", ("zipfian", "uniform")) == "zipfian"
    if options.input_file is not None:
        return StreamWorkload(
            options, is_zipfian, parameters.number("limit", CHANGES_BYTES_MAX, 8_192, CHANGES_BYTES_MAX)
        )
    return GeneratedWorkload(options, is_zipfian, parameters.number("names", 2_000, 1, 20_000))


def added(records: Iterable[tuple[bytes, Record]], batch: int) -> Iterator[Sequence[Segment]]:
    """The records as batches of `add`."""
    for _, group in groupby(enumerate(records), lambda numbered: numbered[0] // batch):
        names, contents = zip(*(numbered[1] for numbered in group), strict=True)
        kinds, ttls, data = zip(*contents, strict=True)
        columns = {"name": list(names), "kind": np.array(kinds), "ttl": np.array(ttls), "data": list(data)}
        yield [Segment("add", columns, len(names))]


class StreamWorkload:
    """A real zone and its stream of updates: client 0 sends each block as one `update_zone`, all clients look up names.

    After each block every client looks up `options.batch` names of the zone that was loaded. Without a stream there
    are only lookups, without an end. A block of more than `limit` bytes is sent in several calls: it is not atomic.
    """

    def __init__(self, options: WorkloadOptions, is_zipfian: bool, limit_bytes: int) -> None:
        if options.input_file is None:
            raise ValueError("expected a zone to read, found no input file")
        self._options = options
        self._input = find_input(options.input_file)
        self._zone = list(read_zone(self._input.zone))
        self._names = list(dict.fromkeys(name for name, _ in self._zone))
        self._chosen = _distribution(len(self._names), is_zipfian)
        self._limit_bytes = limit_bytes

    def preload(self) -> Iterator[Sequence[Segment]]:
        """The zone."""
        return added(self._zone, self._options.batch)

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """This client's calls; they end with the stream."""
        generator = _generator(self._options, client)
        if self._input.updates is None:
            while True:
                yield [self._lookups(generator)]
        for update in read_updates(self._input.updates):
            if client == 0:
                packed = pack_updates(update.sections(), self._limit_bytes)
                if packed:
                    yield [Segment("update_zone", {"changes": packed}, len(packed))]
            yield [self._lookups(generator)]

    def _lookups(self, generator: Generator) -> Segment:
        chosen = self._chosen.draw(generator, self._options.batch).tolist()
        kinds = generator.choice(_KINDS_LOOKED_UP, len(chosen))
        return Segment("lookup", {"name": [self._names[number] for number in chosen], "kind": kinds}, len(chosen))


class GeneratedWorkload:
    """`SHARES` of each command over `names` generated delegations (default 2,000), `distribution`=zipfian or uniform.

    Addresses are added and removed from a few a name, so the zone keeps its size. An update gives some names new texts
    and takes back what this client's update before gave them, so no update fails.
    """

    def __init__(self, options: WorkloadOptions, is_zipfian: bool, names: int) -> None:
        self._options = options
        self._names = [delegated_name(number) for number in range(names)]
        self._chosen = _distribution(names, is_zipfian)

    def preload(self) -> Iterator[Sequence[Segment]]:
        """The zone."""
        return added(generated_zone(len(self._names)), self._options.batch)

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Endless."""
        generator = _generator(self._options, client)
        updates = self._updates(generator, client)
        batch = self._options.batch
        pieces = max(1, BLOCK // batch)
        while True:
            commands = generator.choice(len(SHARES), pieces * batch, p=list(SHARES.values()))
            columns = self._columns(generator, len(commands))
            for begin in range(0, len(commands), batch):
                yield list(self._segments(commands[begin : begin + batch].tolist(), columns, begin, updates))

    def _columns(self, generator: Generator, count: int) -> dict[str, Any]:
        names = self._names
        return {
            "name": [names[number] for number in self._chosen.draw(generator, count).tolist()],
            "asked": generator.choice(_KINDS_LOOKED_UP, count),
            "kind": np.full(count, KINDS["A"]),
            "ttl": np.full(count, 3_600),
            "data": [bytes([10, 0, 0, number]) for number in generator.integers(0, ADDRESSES, count).tolist()],
        }

    def _segments(
        self, commands: list[int], columns: dict[str, Any], first: int, updates: Iterator[bytes]
    ) -> Iterator[Segment]:
        place = first
        for command, group in groupby(commands):
            count = sum(1 for _ in group)
            part = slice(place, place + count)
            place += count
            name, kind, data = columns["name"][part], columns["kind"][part], columns["data"][part]
            if command == LOOKUP:
                yield Segment("lookup", {"name": name, "kind": columns["asked"][part]}, count)
            elif command == ADD_RECORD:
                yield Segment("add", {"name": name, "kind": kind, "ttl": columns["ttl"][part], "data": data}, count)
            elif command == REMOVE_RECORD:
                yield Segment("remove", {"name": name, "kind": kind, "data": data}, count)
            elif command == LIST:
                yield Segment("list_type", {"kind": np.full(count, KINDS["DS"]), "after": name}, count)
            else:
                yield Segment("update_zone", {"changes": [next(updates) for _ in range(count)]}, count)

    def _updates(self, generator: Generator, client: int) -> Iterator[bytes]:
        """Updates of kind TXT, which nothing else touches; each client's texts begin with its number."""
        before: dict[bytes, bytes] = {}
        number = 0
        while True:
            number += 1
            text = b"client %d update %d" % (client, number)
            chosen = np.unique(self._chosen.draw(generator, NAMES_IN_UPDATE)).tolist()
            fresh = {self._names[place]: bytes([len(text)]) + text for place in chosen}
            changes: dict[bytes, list[Change]] = {}
            for name, data in before.items():
                changes.setdefault(name, []).append(Change(REMOVE, TEXT, 0, data))
            for name, data in fresh.items():
                changes.setdefault(name, []).append(Change(ADD, TEXT, 300, data))
            before = fresh
            yield pack_changes(changes.items())


def _generator(options: WorkloadOptions, client: int) -> Generator:
    return np.random.Generator(np.random.PCG64([options.seed, client]))


def _distribution(items: int, is_zipfian: bool) -> Distribution:
    return Scrambled(Zipfian(items)) if is_zipfian else Uniform(items)
