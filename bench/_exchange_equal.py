"""One log, many ways: the plain exchange by one worker, the one in stages by one, two and three, and the sequential model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from apps.exchange import Exchange, PlainExchange
from apps.exchange.model import ExchangeModel
from apps.exchange.rules import Refusal
from bench._exchange_log import FlowLog
from proxies.calls import calls_of, replies_of
from psmr.core.reply import REPLY_HEADER_BYTES, parse_reply
from psmr.demo.told import ToldByBatch
from psmr.execution.engine import Engine
from psmr.execution.outcome import Executed

NEAR_EXHAUSTION = {
    "instruments": "24",
    "clients": "60",
    "live": "1200",
    "room": "25",
    "trades": "3000",
    "wrong": "10000",
}
WORKERS = (1, 2, 3)
ROUND_BATCHES = 20
_RING_BYTES = 128 << 20
_STALL_S = 120.0


@dataclass(slots=True)
class Equality:
    """What was compared, and the first difference, or ""."""

    commands: int = 0
    compared_with_model: int = 0
    no_credit: int = 0
    waited: int = 0
    exact: int = 0
    difference: str = ""
    names: tuple[str, ...] = field(default_factory=tuple)


def compare(commands: int, model_commands: int, say: Callable[[str], None]) -> Equality:
    """Execute at least so many commands, all compared with each other, and so many of them with the model."""
    logs = {"plain": FlowLog(PlainExchange, NEAR_EXHAUSTION), "staged": FlowLog(Exchange, NEAR_EXHAUSTION)}
    made = {"plain, 1 worker": Engine(PlainExchange, 1, ring_bytes=_RING_BYTES)}
    for workers in WORKERS:
        # All workers take part in every batch: by itself the engine would have one execute what that is cheaper for.
        choose = partial(_all, workers)
        made[f"staged, {workers} workers"] = Engine(Exchange, workers, ring_bytes=_RING_BYTES, choose=choose)
    try:
        for engine in made.values():
            engine.start()
        return _compare(commands, model_commands, logs, made, say)
    finally:
        for engine in made.values():
            engine.close()


def _all(workers: int, synchronous: int, count: int) -> int:
    return workers


def _compare(
    commands: int,
    model_commands: int,
    logs: dict[str, FlowLog],
    made: dict[str, Engine],
    say: Callable[[str], None],
) -> Equality:
    found = Equality(names=tuple(made))
    witness = _Witness(made["plain, 1 worker"])
    streams = {name: log.all_batches() for name, log in logs.items()}
    while found.commands < commands and not found.difference:
        batches = {name: list(islice(stream, ROUND_BATCHES)) for name, stream in streams.items()}
        ran = {name: _execute(engine, batches[name.split(",")[0]]) for name, engine in made.items()}
        first, *others = made
        for name in others:
            for one, other in zip(ran[first], ran[name], strict=True):
                if one.reply[REPLY_HEADER_BYTES:] != other.reply[REPLY_HEADER_BYTES:] or one.events != other.events:
                    found.difference = f"{name}: other replies or events than {first}, after {found.commands} commands"
        if len({engine.digest() for engine in made.values()}) != 1:
            found.difference = f"states differ after {found.commands} commands"
        if found.compared_with_model < model_commands and not found.difference:
            found.difference = witness.differs(batches["plain"], ran[first])
            found.compared_with_model, found.no_credit = witness.seen, witness.no_credit
        found.commands += sum(batch.count for batch in batches["plain"])
        if found.commands // 50_000 != (found.commands - ROUND_BATCHES * 1024) // 50_000:
            say(f"{found.commands:,} commands compared, {found.compared_with_model:,} with the model")
    counters = made["staged, 2 workers"].counters()
    found.waited, found.exact = sum(counters.waited), counters.synchronous_commands
    return found


def _execute(engine: Engine, batches: list[Any]) -> list[Executed]:
    executed: list[Executed] = []
    deadline = time.monotonic() + _STALL_S
    for batch in batches:
        while not engine.offer(7, 1, batch.stride, batch.count, batch.records, batch.blob, 0):
            executed += engine.collect()
            if engine.dead() or time.monotonic() > deadline:
                raise AssertionError(
                    f"exchange: expected room for a batch, found none, and dead workers {engine.dead()}"
                )
    if not engine.settle(_STALL_S):
        raise AssertionError(f"exchange: expected the workers to finish, found {engine.dead() or 'them stalled'}")
    return executed + engine.collect()


class _Witness:
    """The sequential model, beside the engine whose layout it is told in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._model = ExchangeModel()
        self.seen = 0
        self.no_credit = 0

    def differs(self, batches: list[Any], ran: list[Executed]) -> str:
        """The first command to which the model replies, or of which it tells, something else; or ""."""
        layout = self._engine.layout
        for batch, gave in zip(batches, ran, strict=True):
            calls = calls_of(layout, memoryview(batch.records), batch.count, memoryview(batch.blob))
            reply = parse_reply(gave.reply)
            told = ToldByBatch(self._engine.service)
            told.take(0, 0, gave)
            by_row = told.of((gave.session, gave.sequence))
            for row, (call, answer) in enumerate(
                zip(calls, replies_of(layout, calls, reply.records, reply.blob), strict=True)
            ):
                expected = self._model.apply(call.command, call.arguments)
                if answer != expected or by_row.get(row, []) != self._model.events:
                    return f"{call.command}{call.arguments}: expected {expected} of the model, found {answer}, or other events"
                self._model.events.clear()
                self.no_credit += expected == -Refusal.NO_CREDIT
            self.seen += batch.count
        return ""
