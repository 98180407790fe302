"""A small service with a reply of each kind, and drivers that execute it at once: for tests of generated clients."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from cdep import Max, StateMachine, dependent, i64, independent, partially_dependent, service_of, u64
from proxies.layout import NONE, RAISED, REPLY_WIDE, layout_of
from psmr.client.blocking import PendingCall
from psmr.client.gathering import Gathering
from psmr.core.reply import BatchStatus, encode_reply, parse_reply

Name = Annotated[bytes, Max(8)]


class Ledger(StateMachine):
    """A service with a reply of each kind."""

    @partially_dependent("name", access="read")
    def balance(self, name: Name) -> i64 | None:
        """The balance; None for an unknown name."""
        return None

    @partially_dependent("name")
    def add(self, name: Name, amount: i64) -> bool:
        """Add to a balance; True if the name is new. Raises ValueError below zero."""
        return True

    @independent
    def echo(self, text: Name) -> Name | None:
        return text

    @dependent
    def clear(self) -> None:
        """Forget everything."""

    @dependent(access="read")
    def total(self) -> u64:
        """How many names there are."""
        return u64(0)


class Loopback:
    """Executes batches at once, in plain Python over a dict, by the layouts alone."""

    def __init__(self) -> None:
        self.layout = layout_of(service_of(Ledger))
        self.balances: dict[bytes, int] = {}
        self.batches: list[list[tuple[Any, ...]]] = []
        self.reads = 0
        self.closed = 0

    def execute(self, records: bytes, count: int, blob: bytes) -> memoryview:
        stride = len(records) // count
        assert len(records) == count * stride
        assert stride <= self.layout.stride
        rows = [self._decode(records[row * stride : (row + 1) * stride], blob) for row in range(count)]
        self.batches.append(rows)
        replies, content = b"", b""
        for command, *arguments in rows:
            reply, more = self._reply(command, arguments, len(content))
            replies += reply
            content += more
        stride = self.layout.reply_stride
        return memoryview(encode_reply(1, 1, BatchStatus.EXECUTED, stride, replies, count, content))

    def _decode(self, record: bytes, blob: bytes) -> tuple[Any, ...]:
        command = self.layout.commands[int.from_bytes(record[:2], "little")]
        values: list[Any] = [command.command.name]
        row = np.frombuffer(record, command.dtype(len(record)))[0]
        for field in command.fields:
            value = row[field.name]
            is_slice = field.type.kind == "bytes"
            values.append(blob[value["offset"] :][: value["length"]] if is_slice else value.item())
        return tuple(values)

    def _reply(self, command: str, arguments: list[Any], used: int) -> tuple[bytes, bytes]:
        layout = self.layout.command(command)
        reply = bytearray(self.layout.reply_stride)
        text = b""
        try:
            value = getattr(self, f"_{command}")(*arguments)
        except ValueError as error:
            reply[0], reply[2], text = RAISED, 1, f"ValueError: {error}".encode()
            struct.pack_into("<II", reply, REPLY_WIDE, used, len(text))
            return bytes(reply), text
        if value is None:
            reply[0] = NONE if layout.command.optional else 0
        elif isinstance(value, bytes):
            reply[2], text = 1, value
            struct.pack_into("<II", reply, REPLY_WIDE, used, len(text))
        else:
            content = np.array(value, layout.command.reply.dtype if layout.command.reply else None).tobytes()
            reply[layout.reply_offset : layout.reply_offset + len(content)] = content
        return bytes(reply), text

    def _balance(self, name: bytes) -> int | None:
        return self.balances.get(name)

    def _add(self, name: bytes, amount: int) -> bool:
        if self.balances.get(name, 0) + amount < 0:
            raise ValueError("below zero")
        fresh = name not in self.balances
        self.balances[name] = self.balances.get(name, 0) + amount
        return fresh

    def _echo(self, text: bytes) -> bytes | None:
        return text or None

    def _clear(self) -> None:
        self.balances.clear()

    def _total(self) -> int:
        return len(self.balances)

    def close(self) -> None:
        self.closed += 1


class AsyncLoopback(Loopback):
    def submit(self, records: bytes, count: int, blob: bytes) -> asyncio.Future[memoryview]:
        future: asyncio.Future[memoryview] = asyncio.get_running_loop().create_future()
        future.set_result(self.execute(records, count, blob))
        return future

    def read(self, records: bytes, count: int, blob: bytes) -> asyncio.Future[memoryview]:
        self.reads += 1
        return self.submit(records, count, blob)

    def call_read(self, record: bytes, blob: bytes, rebase: Callable[[bytes, int], bytes]) -> asyncio.Future[Any]:
        self.reads += 1
        return self.call(record, blob, rebase)

    def call(self, record: bytes, blob: bytes, rebase: Callable[[bytes, int], bytes]) -> asyncio.Future[Any]:
        # As if a call with a blob of 3 bytes were packed before this one.
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reply = self.execute(rebase(record, 3), 1, b"---" + blob)
        future.set_result((reply[32 : 32 + self.layout.reply_stride], reply[32 + self.layout.reply_stride :]))
        return future


class BlockingLoopback(Loopback):
    def __init__(self, batch_calls: int = 1) -> None:
        super().__init__()
        self.batch_calls = batch_calls
        self._calls = Gathering(self._look, lambda: None)

    def submit(self, records: bytes, count: int, blob: bytes) -> Done:
        return Done(self.execute(records, count, blob))

    def read(self, records: bytes, count: int, blob: bytes) -> Done:
        self.reads += 1
        return self.submit(records, count, blob)

    def call(self, record: bytes, blob: bytes, rebase: Any) -> PendingCall:
        return PendingCall(*self._calls.add(record, blob, rebase))

    def call_read(self, record: bytes, blob: bytes, rebase: Any) -> PendingCall:
        self.reads += 1
        return self.call(record, blob, rebase)

    def gathering(self, *, is_read: bool) -> Gathering:
        return self._calls

    def _look(self, gathering: Gathering) -> None:
        """Execute what was gathered, or let `batch_calls` calls gather."""
        if len(gathering) < self.batch_calls:
            gathering.look_at = self.batch_calls
            return
        ticket, parts, _ = gathering.take()
        ticket.resolve(parse_reply(self.execute(parts.records, parts.count, parts.blob)))


class Done:
    def __init__(self, reply: memoryview) -> None:
        self._reply = reply

    def result(self) -> memoryview:
        return self._reply
