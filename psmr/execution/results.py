"""From what workers left of a batch to what the replica gets of it: reply, events, and the digest of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from psmr.core.reply import REPLY_HEADER, BatchStatus
from psmr.core.width import Width
from psmr.execution import emitted, replies
from psmr.execution import layout as at
from psmr.execution.digesting import RowDigests
from psmr.execution.memory import Memory
from psmr.execution.outcome import Executed, Slot
from psmr.execution.progress import EXECUTOR

_MASK = (1 << 64) - 1


class Results:
    """Those of an engine; `width` is told how long each batch took, and `digests` what commands did."""

    def __init__(self, memory: Memory, stride: int, width: Width, digests: RowDigests | None) -> None:
        self._memory = memory
        self._stride = stride
        self._width = width
        self._digests = digests
        self._ended_ns = 0  # when all slots collected so far were completed
        self.command_ns = 0.0
        """What a command costs one worker, a mean in which the newest batches weigh most; 0 while that is unknown."""

    def collect(self, slot: Slot, number: int) -> Executed:
        """Those of slot `number`, which is completed, and the last to be collected."""
        is_one = slot.alone or self._memory.workers == 1
        workers = (EXECUTOR,) if is_one else range(self._memory.workers)
        headers = [self._header_of(worker, number) for worker in workers]
        found = [self._memory.words(header, at.REPLIES_WORDS) for header in headers]
        self._width.observe(self._took_ns(found))
        if slot.alone and slot.count:
            self._learn(found[0][at.REPLIES_BUSY_NS >> 3] / slot.count)
        if is_one:
            blob, records = found[0][at.REPLIES_BLOB_BYTES >> 3], found[0][at.REPLIES_RECORDS >> 3]
            body: Any = self._memory.region.at(records, slot.count * self._stride + blob)
        else:
            body, blob = self._merged(headers, slot.count)
        digest = 0
        if self._digests is not None and not slot.is_read:
            self._digests.take(number, slot.count, slot.places)
            digest = (
                found[0][at.REPLIES_DIGEST_SUM >> 3]
                if is_one
                else sum(words[at.REPLIES_DIGEST_SUM >> 3] for words in found)
            )
            digest &= _MASK
        events, event_count = b"", 0
        if self._memory.has_events:
            events, event_count = emitted.collect_events(self._memory, number, len(found), slot.count, slot.places)
        return slot.done(self._reply(slot, body, blob), digest, events, event_count)

    def _learn(self, command_ns: float) -> None:
        """A batch that was interrupted says little: it counts as four times what was known."""
        known_ns = self.command_ns or command_ns
        self.command_ns = known_ns + (min(command_ns, 4 * known_ns) - known_ns) / 8

    def _took_ns(self, found: Sequence[Sequence[int]]) -> int:
        """How much longer everything until here took for this slot; pauses before it, when nobody executed, do not count."""
        ended_ns = [words[at.REPLIES_ENDED_NS >> 3] for words in found]
        began_ns = [ended - words[at.REPLIES_BUSY_NS >> 3] for ended, words in zip(ended_ns, found, strict=True)]
        since_ns = max(self._ended_ns, min(began_ns))
        self._ended_ns = max(self._ended_ns, *ended_ns)
        return self._ended_ns - since_ns

    def _header_of(self, worker: int, number: int) -> int:
        start = self._memory.get(self._memory.reply_starts[worker] + 8 * (number % at.SLOTS))
        return self._memory.reply_rings[worker] + start

    def _merged(self, headers: list[int], count: int) -> tuple[Any, int]:
        starts = np.array(headers, np.int64)
        blob = int(replies.blob_bytes(starts))
        merged = np.empty(count * self._stride + blob, np.uint8)
        replies.merge(starts, count, self._stride, merged.ctypes.data, np.empty(count, np.int64))
        return merged.data, blob

    def _reply(self, slot: Slot, body: Any, blob: int) -> bytes:
        if slot.places is not None:
            body = replies.in_batch_order(body, slot.count, self._stride, slot.places)
        status = BatchStatus.READ if slot.is_read else BatchStatus.EXECUTED
        head = REPLY_HEADER.pack(slot.session, slot.sequence, status, self._stride, slot.count, blob, 0)
        return b"".join((head, body))
