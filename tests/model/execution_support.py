"""Running logs of calls through engines: encode, execute, decode, and read the state that is left."""

from __future__ import annotations

import itertools
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cdep import Service, StateMachine, ValueType
from proxies.layout import NONE, RAISED, CommandLayout, ServiceLayout, layout_of
from psmr.core.reply import parse_reply
from psmr.demo.verify import LISTED_MAX
from psmr.execution.engine import Engine
from psmr.execution.interpreted import InterpretedMachine
from psmr.state.array import Array, Table
from psmr.state.frame import begin_command
from psmr.state.map import Map
from psmr.workload import Segment

Call = tuple[str, tuple[Any, ...]]
Batch = list[Call]

RING_BYTES = 8 << 20
GUARD_MS = 60_000
NOW_US = 1_700_000_000_000_000
"""The stamp of the first batch; each later one is a second later."""


@dataclass(frozen=True)
class Raised:
    """A call's error, as the reply says it: `Type: message`."""

    text: str


def mostly_together(workers: int) -> Callable[[int, int], int]:
    """A width for an engine: every fourth batch alone, the others by all workers, which adaptive width might leave idle."""
    batches = itertools.count(1)
    return lambda synchronous, count: workers if next(batches) % 4 else 1


@contextmanager
def engines(
    owner: type[StateMachine], workers: Sequence[int], forms: Sequence[bool] = (True, False)
) -> Iterator[dict[str, Engine]]:
    """A started engine for each number of workers, compiled (True) and interpreted (False), by name."""
    made: dict[str, Engine] = {}
    with ExitStack() as stack:
        for count in workers:
            for compiled in forms:
                name = f"{'compiled' if compiled else 'interpreted'}, {count} workers"
                options = {"ring_bytes": RING_BYTES, "spin": 20, "patience": 0, "choose": mostly_together(count)}
                made[name] = Engine(owner, count, compiled=compiled, **options)
                stack.callback(made[name].close)
        for engine in made.values():
            engine.start()
        yield made


def encode(layout: ServiceLayout, calls: Batch) -> tuple[bytes, bytes]:
    """The records and the blob of a batch."""
    records, blob = bytearray(), bytearray()
    for name, arguments in calls:
        command = layout.command(name)
        record = np.zeros(1, command.dtype(layout.stride))
        record["op"] = command.command.op
        by_name = dict(zip((p.name for p in command.command.parameters), arguments, strict=True))
        for field in command.fields:
            value = by_name[field.name]
            if field.type.kind == "bytes":
                record[field.name] = (len(blob), len(value))
                blob += value
            else:
                record[field.name] = np.void(value) if field.type.kind == "fixed" else value
        records += record.tobytes()
    return bytes(records), bytes(blob)


def calls_of(service: Service, segments: Sequence[Segment]) -> Batch:
    """A workload's batch, call by call."""
    calls: Batch = []
    for segment in segments:
        names = [parameter.name for parameter in service.command(segment.command).parameters]
        columns = [segment.columns[name] for name in names]
        plain_columns = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
        assert all(len(column) == segment.count for column in plain_columns)
        rows = zip(*plain_columns, strict=True) if names else [()] * segment.count
        calls += [(segment.command, row) for row in rows]
    return calls


def execute(engine: Engine, log: Sequence[Batch]) -> list[bytes]:
    """The replies to every batch, header included."""
    encoded = [(*encode(engine.layout, batch), len(batch)) for batch in log]
    replies: list[bytes] = []
    for sequence, (records, blob, count) in enumerate(encoded, 1):
        now_us = NOW_US + 1_000_000 * sequence
        while not engine.offer(7, sequence, engine.layout.stride, count, records, blob, now_us):
            replies += _collect(engine)
    while len(replies) < len(log):
        replies += _collect(engine)
    return replies


def _collect(engine: Engine) -> list[bytes]:
    """What is completed; waits until something is."""
    if engine.want_bell():
        poll = select.poll()
        for descriptor in (engine.bell, *engine.sentinels):
            poll.register(descriptor, select.POLLIN)
        assert poll.poll(GUARD_MS), f"no reply within {GUARD_MS} ms; dead workers: {engine.dead()}"
    engine.silence_bell()
    assert not engine.dead()
    return [executed.reply for executed in engine.collect()]


def decode(layout: ServiceLayout, calls: Batch, reply: bytes) -> list[Any]:
    """What each call of a batch returned: a plain Python value, None, or Raised."""
    parsed = parse_reply(reply)
    assert parsed.count == len(calls)
    stride = layout.reply_stride
    rows = (parsed.records[place * stride : (place + 1) * stride] for place in range(parsed.count))
    blob = bytes(parsed.blob)
    return [_value(layout.command(name), row, blob) for (name, _), row in zip(calls, rows, strict=True)]


def _value(command: CommandLayout, row: memoryview, blob: bytes) -> Any:
    record = np.frombuffer(row, command.reply_dtype(len(row)))[0]
    if record["status"] == RAISED:
        start = int(record["text_offset"])
        return Raised(blob[start : start + int(record["text_length"])].decode())
    reply = command.command.reply
    if record["status"] == NONE or reply is None:
        return None
    return _content(reply, record["value"], blob)


def _content(reply: ValueType, value: Any, blob: bytes) -> Any:
    if reply.kind == "bytes":
        return blob[int(value["offset"]) : int(value["offset"]) + int(value["length"])]
    return value.tobytes() if reply.kind == "fixed" else value.item()


def state_of(engine: Engine) -> dict[str, Any]:
    """The state of an idle engine as a model gives it: dicts for maps, lists (or dicts, of the very long) for arrays."""
    machine = InterpretedMachine(engine._owner, layout_of(engine.service), engine.memory, 0).machine
    found: dict[str, Any] = {}
    for name, container in vars(machine).items():
        begin_command(engine.memory.frames[0])
        if isinstance(container, Map):
            found[name] = dict(_entries(container))
        elif isinstance(container, Array):
            found[name] = _rows(container)
        elif isinstance(container, Table):
            found[name] = {field: _rows(getattr(container, field)) for field in container.fields}
    return found


def _rows(column: Any) -> list[Any] | dict[int, Any]:
    return column.values() if len(column) <= LISTED_MAX else column.written()


def _entries(container: Map[Any, Any]) -> Iterator[tuple[Any, Any]]:
    cursor = container.next(-1)
    while cursor >= 0:
        yield plain(container.key_at(cursor)), plain(container.value_at(cursor))
        cursor = container.next(cursor)


def plain(value: Any) -> Any:
    """A NumPy scalar as the Python value it stands for."""
    return value.item() if isinstance(value, np.generic) else value
