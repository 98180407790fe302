"""What executes in a virtual cluster: simulated workers over traced state, or the engine's own, in virtual time.

Both are the part of `psmr.execution.engine.Engine` that a replica's loop uses, with `waiting` and `execute` for whoever
drives it: a batch is executed when virtual time says so.
"""

from __future__ import annotations

import select
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from cdep import StateMachine, execution_order, mask
from proxies.calls import calls_of
from proxies.layout import NONE, RAISED, RAISED_TEXT_LIMIT, CommandLayout, layout_of
from psmr.core.reply import BatchStatus, encode_reply
from psmr.demo.verify import state_of
from psmr.errors import Violation
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed
from psmr.simulation.cluster.batches import BatchQueue, TakenBatch
from psmr.testing.effects import Effect, Witness, effect_of
from psmr.testing.executed import Reading
from psmr.testing.interleaving import interleaved
from psmr.verification.machine import Call, TracedMachine, named_call

_HEAD = struct.Struct("<HBx")
_SLICE = struct.Struct("<II")
_RING_BYTES = 4 << 20
_STALL_MS = 60_000
SLOTS = 8
"""Batches that an engine takes: as many may be executed as if they were one."""


class _Workers(BatchQueue):
    """Events are compared where they are emitted: nobody follows them here, so none are kept in a replica's files."""

    def __init__(self) -> None:
        super().__init__(SLOTS)
        self.memory = SimpleNamespace(has_events=False)
        self.flavour = 0


class SimulatedWorkers(_Workers):
    """Handlers interpreted on traced state, in an order that so many workers may take; `random` draws it.

    What each command of the log did is told to `witness`, as done at `where`. Raises ConfigurationError for state that cannot be
    traced.
    """

    def __init__(self, owner: type[StateMachine], workers: int, random: Random, witness: Witness, where: str) -> None:
        super().__init__()
        self._machine = TracedMachine(owner)
        self.service = self._machine.service
        self.layout = layout_of(self.service)
        self._workers = workers
        self._random = random
        self._witness = witness
        self._where = where
        self._delivered = 0

    def execute(self, batches: int) -> None:
        """Execute as many of the batches published, oldest first, their commands as workers may interleave them."""
        taken = self._next(batches)
        rows = [row for number, batch in enumerate(taken) for row in self._rows(number, batch)]
        answers: list[list[Effect | None]] = [[None] * batch.rows for batch in taken]
        for place in interleaved([row.mask for row in rows], self._workers, self._random):
            row = rows[place]
            effect = effect_of(self._machine, self._machine.call(row.call))
            self._machine.recorder.undo.clear()
            answers[row.batch][row.row] = effect
            if row.place is not None:
                self._witness.executed(self._where, row.place, effect)
        for batch, effects in zip(taken, answers, strict=True):
            self._done.append(self._reply(batch, [effect for effect in effects if effect is not None]))

    def state(self) -> dict[Any, Any]:
        """The content, cell by cell."""
        return self._machine.content()

    def close(self) -> None:
        """Nothing runs."""

    def _rows(self, number: int, batch: TakenBatch) -> Iterator[_Row]:
        """The commands of a batch in the order of execution; those of the log have their place in it."""
        decoded = calls_of(self.layout, batch.records, batch.rows, batch.blob)
        calls = [Call(name, arguments, batch.now_us) for name, arguments in decoded]
        named = [named_call(self.service, call) for call in calls]
        for position, row in enumerate(execution_order(self.service, named)):
            place = None
            if not batch.is_read:
                place, self._delivered = self._delivered, self._delivered + 1
                self._witness.ordered(place, calls[row])
            yield _Row(number, row, calls[row], mask(self.service, named[row], position), place)

    def _reply(self, batch: TakenBatch, effects: Sequence[Effect]) -> Executed:
        records, blob = bytearray(), bytearray()
        stride = self.layout.reply_stride
        calls = calls_of(self.layout, batch.records, batch.rows, batch.blob)
        for call, effect in zip(calls, effects, strict=True):
            value, content = _encoded(self.layout.command(call.command), effect)
            if content is not None:
                value += _SLICE.pack(len(blob), len(content))
                blob += content
            records += value.ljust(stride, b"\0")
        status = BatchStatus.READ if batch.is_read else BatchStatus.EXECUTED
        reply = encode_reply(
            batch.session, batch.sequence, status, stride, bytes(records), batch.rows, blob=bytes(blob)
        )
        return Executed(batch.session, batch.sequence, reply, batch.is_read)


class _Row(NamedTuple):
    batch: int
    row: int
    call: Call
    mask: int
    place: int | None


def _encoded(command: CommandLayout, effect: Effect) -> tuple[bytes, bytes | None]:
    """A reply as the engine writes it: what is in its record, and what in the blob (`psmr.execution.interpreted`)."""
    reply, content = command.command.reply, effect.answer[2:]
    if effect.raised:
        text = effect.answer[1:][:RAISED_TEXT_LIMIT].decode("utf-8", "ignore")
        return _HEAD.pack(RAISED, 1) + bytes(4), text.encode()
    if reply is None or effect.answer[1:2] == b"\0":
        return _HEAD.pack(NONE if reply is not None else 0, 0), None
    if reply.kind == "bytes":
        return _HEAD.pack(0, 1) + bytes(4), content
    return _HEAD.pack(0, 0) + bytes(command.reply_offset - 4) + content, None


class RealWorkers(_Workers):
    """The engine itself, its workers forked from this process: compiled or interpreted, with stages and limits.

    Which worker was where when is the machine's business; what comes of it must not depend on that.
    """

    def __init__(
        self, owner: type[StateMachine], workers: int, witness: Witness, where: str, *, compiled: bool
    ) -> None:
        super().__init__()
        self._witness = witness
        self._where = where
        self._delivered = 0
        self._executing: deque[TakenBatch] = deque()
        # All of them in every batch: what one alone would do is compared anyway.
        self.engine = Engine(
            owner,
            workers,
            compiled=compiled,
            ring_bytes=_RING_BYTES,
            spin=20,
            choose=lambda synchronous, count: workers,
        )
        self.service = self.engine.service
        self.layout = self.engine.layout
        self._reading = Reading(self.layout)
        self._owner = owner
        try:
            self.engine.start()
        except BaseException:
            self.engine.close()
            raise

    def execute(self, batches: int) -> None:
        """Have as many of the batches published executed, oldest first, and wait for them."""
        taken = self._next(batches)
        for batch in taken:
            session, sequence, stride, count, records, blob, now_us, is_read = batch
            while not self.engine.offer(session, sequence, stride, count, records, blob, now_us, is_read=is_read):
                self._wait()
            self._executing.append(batch)
        while self.engine.outstanding:
            self._wait()

    def digest(self) -> int:
        """Equal for equal states."""
        return self.engine.digest()

    def state(self) -> dict[Any, Any]:
        """The content, by field."""
        return state_of(self._owner, self.engine.memory)

    def close(self) -> None:
        """End the workers."""
        self.engine.close()

    def _wait(self) -> None:
        engine = self.engine
        if engine.want_bell():
            poll = select.poll()
            for descriptor in (engine.bell, *engine.sentinels):
                poll.register(descriptor, select.POLLIN)
            if not poll.poll(_STALL_MS) or engine.dead():
                raise Violation(f"expected the workers to go on, found {engine.dead() or 'them stalled'}")
        engine.silence_bell()
        for done in engine.collect():
            self._done.append(done)
            batch = self._executing.popleft()
            if not batch.is_read:
                self._tell(batch, done)

    def _tell(self, batch: TakenBatch, done: Executed) -> None:
        calls = calls_of(self.layout, batch.records, batch.rows, batch.blob)
        for call, effect in self._reading.effects(calls, done):
            self._witness.ordered(self._delivered, call._replace(now_us=batch.now_us))
            self._witness.executed(self._where, self._delivered, effect)
            self._delivered += 1
