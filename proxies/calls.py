"""A batch back as calls and replies in plain Python: for models, histories and whoever reads a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cdep import Call, execution_order
from cdep.service import STRICT
from proxies.decoding import Buffer, ReplyDecoder
from proxies.layout import NONE, RAISED, Field, ServiceLayout


class CommandCall(NamedTuple):
    """A command with its arguments: integers, floats, booleans and bytes."""

    command: str
    arguments: tuple[Any, ...]


class Raised(NamedTuple):
    """In place of a reply: the handler raised, and this is `Type: message`."""

    text: str


def calls_of(layout: ServiceLayout, records: Buffer, count: int, blob: Buffer) -> list[CommandCall]:
    """The calls of a batch of `count` records, in order."""
    stride = len(records) // count
    content = bytes(blob)
    ops = np.frombuffer(records, "u1").reshape(count, stride)[:, :2].copy().view("<u2").ravel()
    calls: list[CommandCall | None] = [None] * count
    for op in np.unique(ops).tolist():
        command = layout.commands[op]
        places = np.flatnonzero(ops == op)
        rows = np.frombuffer(records, command.dtype(stride))[places]
        columns = [_values(rows[field.name], field, content) for field in command.fields]
        name = command.command.name
        arguments = zip(*columns, strict=True) if columns else iter([()] * len(places))
        for place, values in zip(places.tolist(), arguments, strict=True):
            calls[place] = CommandCall(name, values)
    return [call for call in calls if call is not None]


def order_of(layout: ServiceLayout, calls: Sequence[CommandCall]) -> Sequence[int]:
    """The rows of a batch in the order in which they are executed."""
    service = layout.service
    if service.order == STRICT:
        return range(len(calls))
    names = {command.name: [parameter.name for parameter in command.parameters] for command in service.commands}
    return execution_order(
        service, [Call(call.command, dict(zip(names[call.command], call.arguments, strict=True))) for call in calls]
    )


def replies_of(layout: ServiceLayout, calls: list[CommandCall], records: Buffer, blob: Buffer) -> list[Any]:
    """The replies to the calls of a batch, in order: a value, None, or `Raised`."""
    decoders = {c.command.name: ReplyDecoder(c, layout.reply_stride) for c in layout.commands}
    stride = layout.reply_stride
    view = memoryview(records)
    replies: list[Any] = []
    for row, call in enumerate(calls):
        status, value = decoders[call.command].one(view[row * stride : (row + 1) * stride], blob)
        replies.append(Raised(value) if status == RAISED else None if status == NONE else value)
    return replies


def _values(column: Any, field: Field, blob: bytes) -> list[Any]:
    if field.type.kind == "bytes":
        slices = zip(column["offset"].tolist(), column["length"].tolist(), strict=True)
        return [blob[start : start + length] for start, length in slices]
    if field.type.kind == "fixed":
        return [bytes(value) for value in column]
    values: list[Any] = column.tolist()
    return values


__all__ = ["CommandCall", "Raised", "calls_of", "order_of", "replies_of"]
