"""A service's commands as a client needs them: arguments in, batch parts out; reply records in, values out."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, Final

import numpy as np

from cdep import CallError, Service, StateMachine, service_of
from proxies.columns import is_column
from proxies.decoding import Buffer, ReplyDecoder
from proxies.encoding import CommandEncoder, Encoded
from proxies.layout import RAISED, CommandLayout, layout_of
from psmr.client.replies import Replies
from psmr.core.batch import ALIGNMENT, BATCH_BYTES_MAX, HEADER_BYTES
from psmr.core.event_format import rows_max
from psmr.core.reply import MalformedReply, Reply
from psmr.errors import CommandRaised, ConfigurationError, InvalidCall

PAYLOAD_BYTES_MAX: Final = BATCH_BYTES_MAX - HEADER_BYTES - ALIGNMENT
_COLUMN_ROWS: Final = 16
"""Replies that are fewer are decoded faster one by one."""


class CommandProxy:
    """One command: everything about it that needs no connection. Raises InvalidCall for what does not fit it."""

    __slots__ = ("_decoder", "_encoder", "_op", "_reply_stride", "name", "pack", "reads", "rebase", "rows_max")

    pack: Callable[..., bytes] | None
    """The record of one call in a single step, if it has no blob and numbers only; raises struct.error where `one` raises."""

    def __init__(self, service: Service, layout: CommandLayout) -> None:
        self.name = f"{service.name}.{layout.command.name}"
        self.reads = layout.command.access == "read"
        self._reply_stride = layout_of(service).reply_stride
        self._encoder = CommandEncoder(service, layout)
        self._decoder = ReplyDecoder(layout, self._reply_stride)
        self.rebase = self._encoder.rebase
        self.pack = self._encoder.pack
        self._op = layout.command.op
        self.rows_max = rows_max(service)

    def one(self, arguments: tuple[object, ...]) -> Encoded:
        """One call."""
        try:
            return self._encoder.one(arguments)
        except CallError as error:
            raise InvalidCall(str(error)) from None

    def many(self, columns: tuple[object, ...], base: int = 0) -> Encoded:
        """Calls of which each column has one argument; for a command without parameters, how many calls."""
        try:
            encoded = (
                self._encoder.columns(columns, base) if self._encoder.command.parameters else self._repeat(columns)
            )
        except CallError as error:
            raise InvalidCall(str(error)) from None
        check_size(self.name, self.rows_max, encoded.count, len(encoded.records) + len(encoded.blob))
        return encoded

    def one_or_many(self, arguments: tuple[object, ...], base: int) -> Encoded:
        """One call or columns, whichever the arguments are."""
        columns = [is_column(value) for value in arguments]
        if all(columns):
            return self.many(arguments, base)
        if any(columns):
            raise InvalidCall(f"{self.name}: expected single values or columns, found both; give a column for each")
        encoded = self.one(arguments)
        return Encoded(self.rebase(encoded.records, base), 1, encoded.blob)

    def groups(self, arguments: tuple[object, ...]) -> int:
        """C-G of one call that stands first in its batch, as 64 bits."""
        return int(self._encoder.masks(self.one(arguments))[0])

    def value(self, record: Buffer, blob: Buffer) -> Any:
        """The value of one reply; raises CommandRaised if the handler did."""
        status, value = self._decoder.one(record, blob)
        if status == RAISED:
            raise CommandRaised(value)
        return value

    def replies(self, reply: Reply, start: int, count: int) -> Replies[Any, Any]:
        """The replies from one row of a batch's reply on."""
        stride = self._reply_stride
        if reply.stride != stride or reply.count < start + count:
            raise MalformedReply(
                f"{start + count} records of {stride} bytes", f"{reply.count} records of {reply.stride} bytes"
            )
        return self._replies(reply.records[start * stride : (start + count) * stride], reply.blob)

    def column(self, records: bytes, count: int, reply: Reply) -> list[Any] | None:
        """The values of those of `count` single calls that are of this command, each at the place of its call.

        None where they are to be asked for one by one: there are few, one raised, or the reply is not one to these calls.
        """
        if count < _COLUMN_ROWS or reply.count != count or reply.stride != self._reply_stride:
            return None
        mine = np.flatnonzero(np.ndarray(count, "<u2", records, 0, (len(records) // count,)) == self._op)
        if len(mine) == count:
            replies = self._replies(reply.records, reply.blob)
            return None if replies.raised else list(replies)
        rows = np.frombuffer(reply.records, np.uint8).reshape(count, reply.stride)[mine]
        replies = self._replies(memoryview(rows.tobytes()), reply.blob)
        if replies.raised:
            return None
        values: list[Any] = [None] * count
        for row, value in zip(mine.tolist(), replies, strict=True):
            values[row] = value
        return values

    def no_replies(self) -> Replies[Any, Any]:
        """The replies to no calls."""
        return self._replies(memoryview(b""), memoryview(b""))

    def _replies(self, records: memoryview, blob: memoryview) -> Replies[Any, Any]:
        return Replies(self.name, self._decoder, records, blob)

    def _repeat(self, columns: tuple[object, ...]) -> Encoded:
        (count,) = columns
        if not isinstance(count, int):
            raise CallError(f"{self.name}: expected how many calls, an int, found {count!r}")
        if count > self.rows_max:
            raise _too_much(self.name, self.rows_max, count, 0)
        return self._encoder.repeat(count)


class ServiceProxy:
    """The commands of a service, for a generated client that knows its fingerprint."""

    def __init__(self, owner: type[StateMachine], fingerprint: int) -> None:
        service = service_of(owner)
        if service.fingerprint != fingerprint:
            raise ConfigurationError(
                f"the client proxy of {service.name} was generated for fingerprint {fingerprint:016x}, found "
                f"{service.fingerprint:016x} in {service.module}: generate it again"
            )
        self.service = service
        self._commands = {layout.command.name: CommandProxy(service, layout) for layout in layout_of(service).commands}

    def __getitem__(self, command: str) -> CommandProxy:
        """One command by the name of its handler."""
        return self._commands[command]


class Command:
    """A command of a client; its generated subclasses have its signature."""

    __slots__ = ()
    proxy: ClassVar[CommandProxy]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "proxy" in vars(cls):
            for method in vars(cls).values():
                if isinstance(method, FunctionType):
                    name = cls.proxy.name
                    have_it_tell(method, name if method.__name__ == "__call__" else f"{name}.{method.__name__}")

    def _groups(self, *arguments: object) -> int:
        return self.proxy.groups(arguments)


def have_it_tell(method: FunctionType, called: str) -> None:
    """Have Python's own refusal of a call with too few or too many arguments give the signature that the caller wrote against.

    `called`: how the caller knows the method.

    Python begins it with the method's qualified name, which nobody else reads. To look at arguments in Python costs every call.
    """
    code = method.__code__
    names = code.co_varnames[1 : code.co_argcount]
    wanted = ", ".join(f"{name}: {method.__annotations__[name]}" for name in names)
    method.__qualname__ = f"expected {called}({wanted}), found other arguments: {called}"


def check_size(name: str, rows_max: int, count: int, payload_bytes: int) -> None:
    """Raise InvalidCall for more than a batch may hold, of which `rows_max` says how many rows."""
    if count > rows_max or payload_bytes > PAYLOAD_BYTES_MAX:
        raise _too_much(name, rows_max, count, payload_bytes)


def _too_much(name: str, rows_max: int, count: int, payload_bytes: int) -> InvalidCall:
    return InvalidCall(
        f"{name}: expected at most {rows_max} rows and {PAYLOAD_BYTES_MAX} bytes in a batch, "
        f"found {count} rows and {payload_bytes} bytes; make several calls of fewer rows"
    )
