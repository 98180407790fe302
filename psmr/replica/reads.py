"""Batches that only read, from ingress until they may be executed: no entry of the log, no session, this replica alone.

    take ──► new ──ask, once for all that wait──► asked ──confirmed at an index──► confirmed ──delivered so far──► ready
              ▲                                     │
              └───────── lost: asked again ─────────┘

A read is confirmed by a question that was asked after it came, so whatever was answered before it came lies at or below
the index. It is executed behind everything delivered up to there, and behind the batches that its own session sent before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cdep import Service
from psmr.core.batch import Batch, MalformedBatch
from psmr.core.service_version import foreign
from psmr.core.sessions import Sessions
from psmr.errors import Refused

PATIENCE_US: Final = 1_000_000
"""A read that waited so long is refused: its client may know a replica that is better off."""
HELD_BYTES_MAX: Final = 64 << 20
_NEVER_US: Final = 1 << 62


class Read(Struct, frozen=True, gc=False):
    """A batch that only reads, who waits for its reply, and until when it may be held."""

    connection: bytes
    batch: Batch
    due_us: int

    @property
    def number(self) -> int:
        """By which the client knows the reply."""
        return self.batch.answered


class Reads:
    """The reads that a replica holds. `held_bytes`: of those that wait for anything, their execution excepted; none has 0."""

    def __init__(self) -> None:
        self.confirmations = 0
        self._new: list[Read] = []
        self._asked: dict[int, list[Read]] = {}
        self._confirmed: deque[tuple[int, list[Read]]] = deque()
        self._tokens = 0
        self.held_bytes = 0
        self._due_us = _NEVER_US  # none of those held is due earlier

    def take(self, read: Read) -> None:
        """Hold a read; raises Refused when too much is held."""
        if self.held_bytes + read.batch.size_bytes > HELD_BYTES_MAX:
            raise Refused(f"{self.held_bytes} bytes of reads wait already; try again")
        self.held_bytes += read.batch.size_bytes
        self._due_us = min(self._due_us, read.due_us)
        self._new.append(read)

    @property
    def wants_confirmation(self) -> bool:
        """Whether a question is to be asked."""
        return bool(self._new)

    @property
    def confirmed(self) -> bool:
        """Whether reads wait for what they were confirmed at to be delivered."""
        return bool(self._confirmed)

    @property
    def next_due_us(self) -> int:
        """When the first of those held is overdue, at the earliest."""
        return self._due_us if self.held_bytes else _NEVER_US

    def ask(self) -> int:
        """The token of a question for every read that has none."""
        self._tokens += 1
        self._asked[self._tokens] = self._new
        self._new = []
        return self._tokens

    def confirm(self, token: int, index: int | None) -> None:
        """A question was answered, or got lost."""
        reads = self._asked.pop(token)
        if index is None:
            self._new = reads + self._new
        else:
            self.confirmations += 1
            self._confirmed.append((index, reads))

    def refuse_new(self) -> list[Read]:
        """Let go of those without a question: there is nobody to ask."""
        reads, self._new = self._new, []
        return self._release(reads)

    def ready(self, delivered: int, sessions: Sessions) -> list[Read]:
        """Let go of those that may be executed where everything up to `delivered` has been decided."""
        found: list[Read] = []
        waiting: deque[tuple[int, list[Read]]] = deque()
        for index, reads in self._confirmed:
            if index > delivered:
                waiting.append((index, reads))
                continue
            ahead = [read for read in reads if _is_ahead(read, sessions)]
            found += [read for read in reads if not _is_ahead(read, sessions)] if ahead else reads
            if ahead:
                waiting.append((index, ahead))
        self._confirmed = waiting
        return self._release(found)

    def overdue(self, now_us: int) -> list[Read]:
        """Let go of those that have waited too long."""
        if now_us < self._due_us:
            return []
        late = [read for read in self._all() if read.due_us <= now_us]
        if late:
            self._new = _without_late(self._new, now_us)
            self._asked = {token: _without_late(reads, now_us) for token, reads in self._asked.items()}
            kept = ((index, _without_late(reads, now_us)) for index, reads in self._confirmed)
            self._confirmed = deque((index, reads) for index, reads in kept if reads)
        self._due_us = min((read.due_us for read in self._all()), default=_NEVER_US)
        return self._release(late)

    def _all(self) -> Iterator[Read]:
        yield from self._new
        for reads in self._asked.values():
            yield from reads
        for _, reads in self._confirmed:
            yield from reads

    def _release(self, reads: list[Read]) -> list[Read]:
        self.held_bytes -= sum(read.batch.size_bytes for read in reads)
        return reads


def _is_ahead(read: Read, sessions: Sessions) -> bool:
    """Whether its session's earlier batches are still on their way. Those of a session that is gone are not."""
    last = sessions.last(read.batch.session)
    return last is not None and read.batch.sequence > last


def _without_late(reads: list[Read], now_us: int) -> list[Read]:
    return [read for read in reads if read.due_us > now_us]


@lru_cache(maxsize=8)
def _reading(ops: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Of each number that a command may have, whether it is one of these; shared, and written by nobody."""
    found = np.zeros(1 << 16, np.bool_)
    found[list(ops)] = True
    found.flags.writeable = False
    return found


class ReadCheck:
    """Refuses what may not be executed beside the log: commands that are not declared as reading."""

    def __init__(self, service: Service, stride: int) -> None:
        self._service = service
        self._stride = stride
        self._reads = _reading(tuple(command.op for command in service.commands if command.access == "read"))

    def check(self, batch: Batch) -> None:
        """Raises MalformedBatch for a batch of another service, or with a command that may write."""
        if batch.fingerprint != self._service.fingerprint:
            raise foreign(batch, self._service.fingerprint)
        if batch.stride > self._stride:
            raise MalformedBatch(f"records of at most {self._stride} bytes", f"{batch.stride} bytes")
        if batch.count == 1 and self._reads[int.from_bytes(batch.records[:2], "little")]:
            return  # a lone call, as most are
        ops = np.frombuffer(batch.records, "<u2")[:: batch.stride // 2]
        if not self._reads[ops].all():
            row = int(np.flatnonzero(~self._reads[ops])[0])
            raise MalformedBatch('commands declared with access="read", as the batch only reads', f"row {row}: another")
