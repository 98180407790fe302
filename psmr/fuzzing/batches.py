"""Batches and the records in them, and the replies to them with what clients decode from those."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from cdep import Service, ValueType, service_of
from proxies.calls import calls_of
from proxies.encoding import CommandEncoder, Encoded, joined
from proxies.layout import NONE, RAISED, RAISED_TEXT_LIMIT, layout_of
from psmr.client.commands import CommandProxy
from psmr.client.replies import Replies
from psmr.core import batch, reply
from psmr.core.batch import Batch, MalformedBatch
from psmr.core.reply import BatchStatus, MalformedReply, Reply
from psmr.errors import CommandRaised, PsmrError
from psmr.execution.generated import server_module
from psmr.fuzzing.service import Kinds
from psmr.fuzzing.target import Target

_TOKENS = (batch.MAGIC.to_bytes(4, "little"), bytes(8), b"\xff" * 8)


class NotAdmitted(PsmrError):
    """A row that no replica may execute."""


@cache
def _service() -> Service:
    return service_of(Kinds)


def _calls() -> list[Encoded]:
    layout = layout_of(_service())
    encoders = {each.command.name: CommandEncoder(_service(), each) for each in layout.commands}
    return [
        encoders["numbers"].columns([[1, 2, 3], [-1, 0, 127], [0, 9, 65535], [0.5, -1.5, 1e300], [True, False, True]]),
        encoders["texts"].columns([[b"a", b"", b"k" * 40], [b"bb", b"c" * 39, b""], [False, True, True]]),
        encoders["fixed"].columns([[b"x" * 12, b"y" * 12], [0, 255]]),
        encoders["ping"].repeat(4),
        encoders["size"].repeat(1),
        joined([encoders["numbers"].one((7, -8, 9, 1.0, False)), encoders["texts"].one((b"k" * 9, b"v" * 5, True))]),
    ]


def _batch_corpus() -> list[bytes]:
    fingerprint = _service().fingerprint
    commands = [
        batch.encode(kind, fingerprint, 9, sequence + 3, sequence, each.stride, each.records, each.count, each.blob)
        for sequence, each in enumerate(_calls())
        for kind in (batch.KIND_COMMANDS, batch.KIND_READ)
    ]
    return [*commands, batch.encode_open(fingerprint, 0xABCDEF)]


def _encoded(parsed: Batch) -> bytes:
    return batch.encode(
        parsed.kind,
        parsed.fingerprint,
        parsed.session,
        parsed.sequence,
        parsed.answered,
        parsed.stride,
        parsed.records,
        parsed.count,
        parsed.blob,
    )


def seal_batches(data: bytearray) -> None:
    """Put right the checksum of every batch that follows from the one at the beginning."""
    at = 0
    while len(data) - at >= batch.HEADER_BYTES:
        fields = batch.HEADER.unpack_from(data, at)
        stride, count, blob_bytes = fields[3], fields[8], fields[9]
        begin = at + batch.HEADER_BYTES
        end = begin + count * stride + blob_bytes
        padded_end = end + (at - end) % batch.ALIGNMENT
        if padded_end > len(data):
            return
        data[begin - 8 : begin] = batch.checksum_of(memoryview(data), at, end).to_bytes(8, "little")
        at = padded_end


def batches() -> Target:
    """One batch, as a client sends it."""
    return Target(
        "batch", tuple(_batch_corpus()), batch.parse_whole, (MalformedBatch,), _wrong_batch, seal_batches, _TOKENS
    )


def _wrong_batch(data: bytes, parsed: Batch) -> str | None:
    return None if _encoded(parsed) == data else f"{parsed!r} is encoded by other bytes"


def entry() -> Target:
    """The payload of a log entry: batches one after another."""
    single = _batch_corpus()
    corpus = (b"".join(single[:3]), b"".join(single[2:6]), b"".join(single[-2:]), b"".join(single[4:9]), single[0])
    return Target("entry", corpus, batch.split, (MalformedBatch,), _wrong_entry, seal_batches, _TOKENS)


def _wrong_entry(data: bytes, parsed: list[Batch]) -> str | None:
    return None if b"".join(map(_encoded, parsed)) == data else f"{parsed!r} are encoded by other bytes"


def admission() -> Target:
    """The records of a batch, as the compiled server proxy admits them to execution."""
    layout, proxy = layout_of(_service()), server_module(Kinds)
    totals = np.zeros(2, np.int64)
    owners = np.zeros(1 << 14, np.uint16)
    table = np.ones(65, np.uint16)

    def decode(data: bytes) -> Batch:
        parsed = batch.parse_whole(data)
        if parsed.kind == batch.KIND_OPEN or parsed.stride > layout.stride:
            raise NotAdmitted
        content = np.concatenate([np.frombuffer(parsed.records, np.uint8), np.frombuffer(parsed.blob, np.uint8)])
        start, blob = content.ctypes.data, content.ctypes.data + len(parsed.records)
        bad = proxy.admit(
            start,
            parsed.stride,
            parsed.count,
            blob,
            len(parsed.blob),
            table.ctypes.data,
            owners.ctypes.data,
            totals.ctypes.data,
        )
        if bad >= 0:
            raise NotAdmitted
        return parsed

    def wrong(_: bytes, parsed: Batch) -> str | None:
        types = {each.command.name: [field.type for field in each.fields] for each in layout.commands}
        for call in calls_of(layout, parsed.records, parsed.count, parsed.blob):
            for value, kind in zip(call.arguments, types[call.command], strict=True):
                if not _fits(value, kind):
                    return f"{call!r} was admitted: {value!r} is no {kind.name}"
        return None if (owners[: parsed.count] == 1).all() else "a row without an owner"

    refusals = (MalformedBatch, NotAdmitted)
    return Target("admission", tuple(_batch_corpus()[:-1]), decode, refusals, wrong, seal_batches, _TOKENS)


def _fits(value: Any, kind: ValueType) -> bool:
    """Whether a decoded value is one of its type."""
    if kind.kind == "bytes":
        return isinstance(value, bytes) and len(value) <= kind.limit
    if kind.kind == "fixed":
        return isinstance(value, bytes) and len(value) == kind.limit
    if kind.kind == "bool":
        return isinstance(value, bool | np.bool_)
    return isinstance(value, int | float | np.number)


def _reply_corpus() -> list[bytes]:
    stride = layout_of(_service()).reply_stride
    value, none, raised = bytes(stride), (NONE).to_bytes(2, "little") + bytes(stride - 2), bytearray(stride)
    raised[0], raised[2], raised[12] = RAISED, 1, 4
    in_blob = bytearray(stride)
    in_blob[2], in_blob[12] = 1, 3
    records = bytes(value) + none + bytes(raised) + bytes(in_blob)
    return [
        reply.encode_reply(5, 6, BatchStatus.EXECUTED, stride, records, 4, b"Oops"),
        reply.encode_reply(5, 7, BatchStatus.READ, stride, bytes(value) * 3, 3),
        reply.encode_reply(5, 8, BatchStatus.OPENED),
        reply.encode_reply(5, 9, BatchStatus.MALFORMED, blob="what is wrong ü".encode(), detail=1),
        reply.encode_reply(5, 10, BatchStatus.OUT_OF_ORDER),
    ]


def replies() -> Target:
    """The reply to a batch."""
    return Target("reply", tuple(_reply_corpus()), reply.parse_reply, (MalformedReply,), _wrong_reply)


def _wrong_reply(data: bytes, parsed: Reply) -> str | None:
    again = reply.encode_reply(
        parsed.session,
        parsed.sequence,
        parsed.status,
        parsed.stride,
        parsed.records,
        parsed.count,
        parsed.blob,
        parsed.detail,
    )
    return None if again == data and isinstance(parsed.text(), str) else f"{parsed!r} is encoded by other bytes"


def values() -> Target:
    """What a client decodes from the reply to calls of one command, whichever its session's number says."""
    service = _service()
    commands = [(CommandProxy(service, each), each.command.reply) for each in layout_of(service).commands]

    def decode(data: bytes) -> tuple[Replies[Any, Any], list[Any], ValueType | None]:
        parsed = reply.parse_reply(data)
        proxy, kind = commands[len(data) % len(commands)]
        found = proxy.replies(parsed, 0, parsed.count)
        for record in (parsed.records[: parsed.stride],) if parsed.count else ():
            _value_or_raised(proxy, record, parsed.blob)
        return found, [found.values] if kind is None else list(found.values), kind

    def wrong(_: bytes, decoded: tuple[Replies[Any, Any], list[Any], ValueType | None]) -> str | None:
        found, column, kind = decoded
        for text in found.raised.values():
            if len(text) > RAISED_TEXT_LIMIT:
                return f"a raised command's text of {len(text)} characters"
        if kind is None:
            return None
        present = found.present
        for row, value in enumerate(column):
            if present[row] and not _fits(value, kind):
                return f"row {row}: {value!r} is no {kind.name}"
        return None

    return Target("values", tuple(_reply_corpus()[:2]), decode, (MalformedReply,), wrong)


def _value_or_raised(proxy: CommandProxy, record: memoryview, blob: memoryview) -> Any:
    try:
        return proxy.value(record, blob)
    except CommandRaised as raised:
        return raised
