"""Rounds of the exchange's workload through several engines by turns: what each takes, and that all answer alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

import xxhash

from apps.exchange import Exchange, PlainExchange
from bench._exchange_log import FlowLog
from bench._growth_cpu import WorkersClock
from bench._measurement import Spread
from cdep import StateMachine
from proxies.encoding import Encoded
from psmr.core.reply import REPLY_HEADER_BYTES
from psmr.execution.engine import Engine

CONTESTANTS: dict[str, tuple[type[StateMachine], int]] = {
    "plain, 1 worker": (PlainExchange, 1),
    "plain, 2 workers": (PlainExchange, 2),
    "staged, 1 worker": (Exchange, 1),
    "staged, 2 workers": (Exchange, 2),
}
WARM_UPS = 3
_RING_BYTES = 128 << 20
_STALL_S = 120.0
_COLLECT_S = 0.5


class Race:
    """Engines over both services, which take turns; enter it before any thread exists."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._logs: dict[type[StateMachine], Iterator[Encoded]] = {
            owner: FlowLog(owner, parameters).all_batches() for owner in (PlainExchange, Exchange)
        }
        self._openings: dict[type[StateMachine], int] = {
            owner: len(list(FlowLog(owner, parameters).opening())) for owner in (PlainExchange, Exchange)
        }
        self._engines = {
            name: Engine(owner, workers, ring_bytes=_RING_BYTES) for name, (owner, workers) in CONTESTANTS.items()
        }

    def __enter__(self) -> Self:
        self._clocks = {name: WorkersClock(engine) for name, engine in self._engines.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for engine in self._engines.values():
            engine.close()

    def run(self, rounds: int, batches: int, say: Callable[[str], None]) -> dict[str, dict[str, Spread]]:
        """Commands a second and ns of processor time a command of each; raises AssertionError if answers or states differ."""
        rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
        costs: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
        self._turn(lambda owner: self._openings[owner])
        for done in range(1, rounds + WARM_UPS + 1):
            for name, (seconds, cpu_ns, commands) in self._turn(lambda _: batches).items():
                rates[name].append(commands / seconds)
                costs[name].append(cpu_ns / commands)
            say(f"round {done}: " + ", ".join(f"{name} {values[-1] / 1e6:.2f} M/s" for name, values in rates.items()))
        if len({engine.digest() for engine in self._engines.values()}) != 1:
            raise AssertionError("exchange: expected one state of all contestants, found several")
        return {
            name: {"rate": Spread(tuple(rates[name][WARM_UPS:])), "cpu_ns": Spread(tuple(costs[name][WARM_UPS:]))}
            for name in CONTESTANTS
        }

    def _turn(self, count: Callable[[type[StateMachine]], int]) -> dict[str, tuple[float, int, int]]:
        """One round of each contestant over the same commands."""
        log = {owner: list(islice(batches, count(owner))) for owner, batches in self._logs.items()}
        answers: set[int] = set()
        taken: dict[str, tuple[float, int, int]] = {}
        for name, (owner, _) in CONTESTANTS.items():
            seconds, cpu_ns, answer = self._execute(name, log[owner])
            taken[name] = (seconds, cpu_ns, sum(batch.count for batch in log[owner]))
            answers.add(answer)
        if len(answers) != 1:
            raise AssertionError("exchange: expected the same replies and events of all contestants, found others")
        return taken

    def _execute(self, name: str, batches: list[Encoded]) -> tuple[float, int, int]:
        """(seconds from publishing to the last reply, ns of processor time, hash of replies and events)."""
        engine, clock, digest = self._engines[name], self._clocks[name], xxhash.xxh3_64()
        until = time.perf_counter() + _STALL_S
        for batch in batches:
            while not engine.prepare(7, 1, batch.stride, batch.count, batch.records, batch.blob, 0):
                if time.perf_counter() > until:
                    raise AssertionError("exchange: expected a round to fit the ring")
                time.sleep(0.001)
        started, used_ns = time.perf_counter(), clock.now_ns()
        engine.publish()
        while not engine.settle(_COLLECT_S):
            if time.perf_counter() > until:
                raise AssertionError(
                    f"exchange: expected the workers to finish, found {engine.dead() or 'them stalled'}"
                )
            _take(engine, digest)
        seconds, cpu_ns = time.perf_counter() - started, clock.now_ns() - used_ns
        _take(engine, digest)
        return seconds, cpu_ns, digest.intdigest()

    def waits(self) -> dict[str, Any]:
        """Rounds that the two workers of the staged exchange met in, and reservations that waited."""
        counters = self._engines["staged, 2 workers"].counters()
        return {"rounds": counters.rounds[0], "waited": sum(counters.waited), "commands": sum(counters.commands)}


def _take(engine: Engine, digest: Any) -> None:
    for executed in engine.collect():
        digest.update(executed.reply[REPLY_HEADER_BYTES:])
        digest.update(executed.events)
