"""A command that replicas executed differently, in words: from the log's entry, and the replies still kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from proxies.calls import Raised, calls_of, replies_of
from proxies.layout import ServiceLayout
from psmr.core.batch import KIND_COMMANDS, Batch, MalformedBatch, split
from psmr.core.reply import MalformedReply, Reply, parse_reply

ABSENT = "not kept"
"""In place of a reply that is not kept any more."""


class Shown(Struct, frozen=True):
    """A command, its arguments by name, and what it replied."""

    name: str
    arguments: dict[str, Any]
    reply: Any


def first_difference(mine: bytes, theirs: bytes) -> int | None:
    """The first row whose command digests differ; None where all are equal."""
    left, right = np.frombuffer(mine, "<u8"), np.frombuffer(theirs, "<u8")
    shared = min(len(left), len(right))
    rows = np.flatnonzero(left[:shared] != right[:shared])
    if len(rows):
        return int(rows[0])
    return None if len(left) == len(right) else shared


def digest_at(digests: bytes, row: int) -> str | None:
    """A command digest as people see it."""
    digest = digests[8 * row : 8 * row + 8]
    return f"{int.from_bytes(digest, 'little'):016x}" if digest else None


def command_at(layout: ServiceLayout, payload: Any, replies: Sequence[bytes], row: int, executed: int) -> Shown | None:
    """The command at a row of an entry, of whose batches `executed` commands were executed; None where it cannot be said.

    `replies`: those to its batches that are still kept. A batch without one was executed if otherwise the count is not right.
    """
    try:
        batches = [batch for batch in split(payload) if batch.kind == KIND_COMMANDS]
        kept = {(reply.session, reply.sequence): reply for reply in map(parse_reply, replies)}
    except (MalformedBatch, MalformedReply):
        return None
    if sum(batch.count for batch in batches) != executed:
        batches = [batch for batch in batches if (batch.session, batch.sequence) in kept]
        if sum(batch.count for batch in batches) != executed:
            return None
    for batch in batches:
        if row < batch.count:
            return _shown(layout, batch, kept.get((batch.session, batch.sequence)), row)
        row -= batch.count
    return None


def _shown(layout: ServiceLayout, batch: Batch, reply: Reply | None, row: int) -> Shown:
    calls = calls_of(layout, batch.records, batch.count, batch.blob)
    name, values = calls[row]
    command = layout.command(name).command
    arguments = dict(zip((each.name for each in command.parameters), map(plain, values), strict=True))
    found = ABSENT if reply is None else plain(replies_of(layout, calls, reply.records, bytes(reply.blob))[row])
    return Shown(name, arguments, found)


def plain(value: Any) -> Any:
    """A value for JSON: bytes as hexadecimal digits, an error as its text."""
    if isinstance(value, Raised):
        return {"raised": value.text}
    if isinstance(value, bytes | memoryview):
        return f"0x{bytes(value).hex()}"
    return value
