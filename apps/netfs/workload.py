"""Calls for the file system: pieces of files read and written, a share of changes of structure, or a recorded stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from apps.distributions import Distribution, Generator, Scrambled, Uniform, Zipfian
from apps.netfs.layout import FILE_BYTES_MAX, IO_BYTES_MAX, NODES_MAX
from apps.netfs.stream import Operation, Stream, read_stream, segments_of
from apps.parameters import Parameters
from psmr.workload import Segment, Workload, WorkloadOptions

BLOCK = 4_096
"""Calls drawn at once."""
PIECE_BYTES = 1024
FILES_IN_DIRECTORY = 50
TEN_THOUSAND = 10_000
OTHERS = {"stat": 200, "readdir": 100, "truncate": 50, "utimens": 50}
"""Of ten thousand calls that change no structure; the others read and write."""


def workload(options: WorkloadOptions) -> Workload:
    """Calls for `NetFS`."""
    parameters = Parameters(options.parameters, ("files", "file_bytes", "writes", "structure", "distribution"))
    if options.input_file is not None:
        return StreamWorkload(options, read_stream(options.input_file))
    return MixWorkload(options, parameters)


class StreamWorkload:
    """The operations of a recorded stream: what comes before `begin` is loaded, the rest shared out among the clients.

    A client has directories of its own: the operations in one directory stay in their order.
    """

    def __init__(self, options: WorkloadOptions, stream: Stream) -> None:
        self._options = options
        self._stream = stream

    def preload(self) -> Iterator[Sequence[Segment]]:
        """What comes before `begin`."""
        return self._batches(self._stream.loaded)

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """This client's operations, once."""
        clients = self._options.clients
        return self._batches([one for one in self._stream.operations if one.share() % clients == client])

    def _batches(self, operations: Sequence[Operation]) -> Iterator[Sequence[Segment]]:
        for begin in range(0, len(operations), self._options.batch):
            yield segments_of(operations[begin : begin + self._options.batch])


class MixWorkload:
    """`structure` of ten thousand calls (default 100) change structure, the others nearly all read or write 1 KiB.

    They do so in one of `files` files (default 500) of `file_bytes` (default 4,096), chosen `distribution`=zipfian (default)
    or uniform; `writes` percent of them (default 50) write. What a client creates, it renames or removes again, under
    names of its own, so no change of structure fails and the file system keeps its size.
    """

    def __init__(self, options: WorkloadOptions, parameters: Parameters) -> None:
        self._options = options
        self._files = parameters.number("files", 500, 1, NODES_MAX // 2)
        self._pieces = parameters.number("file_bytes", 4_096, PIECE_BYTES, FILE_BYTES_MAX) // PIECE_BYTES
        self._writes = parameters.number("writes", 50, 0, 100)
        self._structure = parameters.number("structure", 100, 0, TEN_THOUSAND)
        is_zipfian = parameters.choice("distribution", "zipfian", ("zipfian", "uniform")) == "zipfian"
        self._chosen: Distribution = Scrambled(Zipfian(self._files)) if is_zipfian else Uniform(self._files)

    def preload(self) -> Iterator[Sequence[Segment]]:
        """The directories, the files, and their content."""
        yield from self._loaded(self._directories())
        yield from self._loaded([Operation("create", (_path(number),)) for number in range(self._files)])
        at_once = IO_BYTES_MAX // PIECE_BYTES
        writes = [
            Operation("write", (_path(number), begin * PIECE_BYTES, _content(b"loaded", number, begin, size)))
            for number in range(self._files)
            for begin in range(0, self._pieces, at_once)
            for size in [min(at_once, self._pieces - begin) * PIECE_BYTES]
        ]
        yield from self._loaded(writes)

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Endless."""
        generator = np.random.Generator(np.random.PCG64([self._options.seed, client]))
        changes = self._changes(generator, client)
        batch = self._options.batch
        drawn = max(1, BLOCK // batch) * batch
        sent = 0
        while True:
            operations = self._drawn(generator, drawn, client, sent, changes)
            sent += drawn
            for begin in range(0, drawn, batch):
                yield segments_of(operations[begin : begin + batch])

    def _directories(self) -> list[Operation]:
        shared = [_directory(number) for number in range(0, self._files, FILES_IN_DIRECTORY)]
        own = [_own(client) for client in range(self._options.clients)]
        return [Operation("mkdir", (path,)) for path in (*shared, *own)]

    def _loaded(self, operations: Sequence[Operation]) -> Iterator[Sequence[Segment]]:
        for begin in range(0, len(operations), self._options.batch):
            yield segments_of(operations[begin : begin + self._options.batch])

    def _drawn(
        self, generator: Generator, count: int, client: int, sent: int, changes: Iterator[Operation]
    ) -> list[Operation]:
        read_and_write = TEN_THOUSAND - sum(OTHERS.values())
        written = read_and_write * self._writes // 100
        shares = {"read": read_and_write - written, "write": written, **OTHERS}
        commands = generator.choice(list(shares), count, p=np.array(list(shares.values())) / TEN_THOUSAND).tolist()
        is_change = (generator.integers(0, TEN_THOUSAND, count) < self._structure).tolist()
        files = self._chosen.draw(generator, count).tolist()
        pieces = generator.integers(0, self._pieces, count).tolist()
        rows = zip(commands, is_change, files, pieces, strict=True)
        return [
            next(changes) if change else _call(command, file, piece, client, sent + place)
            for place, (command, change, file, piece) in enumerate(rows)
        ]

    def _changes(self, generator: Generator, client: int) -> Iterator[Operation]:
        """Changes of structure, each possible after those before it."""
        own = _own(client)
        number = 0
        while True:
            number += 1
            shared = _directory(int(self._chosen.draw(generator, 1)[0])) + b"/of-%d-%d" % (client, number)
            draft, final, folder = (own + b"/%s-%d" % (name, number) for name in (b"draft", b"final", b"folder"))
            yield Operation("create", (shared,))
            yield Operation("create", (draft,))
            yield Operation("mkdir", (folder,))
            yield Operation("rename", (draft, final))
            yield Operation("unlink", (shared,))
            yield Operation("unlink", (final,))
            yield Operation("rmdir", (folder,))


def _call(command: str, file: int, piece: int, client: int, number: int) -> Operation:
    """A call that changes no structure."""
    path, offset = _path(file), piece * PIECE_BYTES
    arguments: dict[str, tuple[Any, ...]] = {
        "read": (offset, PIECE_BYTES),
        "write": (offset, _content(b"client %d" % client, number, piece, PIECE_BYTES)),
        "truncate": (offset + PIECE_BYTES // 2,),
        "utimens": (1_000_000 * number + client,),
        "stat": (),
        "readdir": (b"",),
    }
    return Operation(command, (_directory(file) if command == "readdir" else path, *arguments[command]))


def _content(who: bytes, number: int, piece: int, size_bytes: int) -> bytes:
    """Bytes that no other call writes."""
    return (b"%s, %d, %d. " % (who, number, piece)).ljust(size_bytes, b"=")


def _directory(file: int) -> bytes:
    return b"/shared-%d" % (file // FILES_IN_DIRECTORY)


def _path(file: int) -> bytes:
    return _directory(file) + b"/file-%d" % file


def _own(client: int) -> bytes:
    return b"/client-%d" % client
