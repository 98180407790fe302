"""Rounds of the exchange's workload through several engines by turns: what each takes, and that all answer alike."""

from __future__ import annotations

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
from psmr.advice.batches import Commands
from psmr.advice.running import WINDOW, Runner
from psmr.core.reply import REPLY_HEADER_BYTES
from psmr.execution.outcome import Executed

CONTESTANTS: dict[str, tuple[type[StateMachine], int]] = {
    "plain, 1 worker": (PlainExchange, 1),
    "plain, 2 workers": (PlainExchange, 2),
    "staged, 1 worker": (Exchange, 1),
    "staged, 2 workers": (Exchange, 2),
}
WARM_UPS = 3


class Race:
    """Engines over both services, which take turns; enter it before any thread exists."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._logs: dict[type[StateMachine], Iterator[Encoded]] = {
            owner: FlowLog(owner, parameters).all_batches() for owner in (PlainExchange, Exchange)
        }
        self._openings: dict[type[StateMachine], int] = {
            owner: len(list(FlowLog(owner, parameters).opening())) for owner in (PlainExchange, Exchange)
        }
        self._runners = {name: Runner(owner, workers, at_once=WINDOW) for name, (owner, workers) in CONTESTANTS.items()}

    def __enter__(self) -> Self:
        self._clocks = {name: WorkersClock(runner.engine) for name, runner in self._runners.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self._runners.values():
            runner.close()

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
        if len({runner.engine.digest() for runner in self._runners.values()}) != 1:
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
        """(seconds in which workers executed, ns of their processor time, hash of replies and events)."""
        clock, digest = self._clocks[name], xxhash.xxh3_64()

        def take(executed: Executed) -> None:
            digest.update(executed.reply[REPLY_HEADER_BYTES:])
            digest.update(executed.events)

        used_ns = clock.now_ns()
        ran = self._runners[name].run([Commands(batch.records, batch.count, batch.blob) for batch in batches], take)
        return ran.seconds, clock.now_ns() - used_ns, digest.intdigest()

    def waits(self) -> dict[str, Any]:
        """Rounds that the two workers of the staged exchange met in, and reservations that waited."""
        counters = self._runners["staged, 2 workers"].engine.counters()
        return {"rounds": counters.rounds[0], "waited": sum(counters.waited), "commands": sum(counters.commands)}
