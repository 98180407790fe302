"""One scene measured: the same prepared batches by four engines in turn, and what their workers waited for.

    smr      one worker: single-threaded state-machine replication
    paper    k workers, a meeting for every command that goes to several of them (P-SMR as published); of a service with early
             stages, which the paper has not, the same as `watched`
    psmr     k workers, barriers combined, and one worker alone where that has been the cheaper way: this engine as it runs
    watched  k workers in every batch, barriers combined, their waits written down: it shows what one would wait for

Between their turns the commands' costs are measured on an engine of its own, so that what disturbs the machine disturbs both.
Every engine gets the batches window by window, as many at once as four clients have under way, so that the choice of width
learns as a replica's does. Every reply and the state in the end must be those of the one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from statistics import median
from typing import Any

import numpy as np
import xxhash

from bench._collapse_scenes import Scene
from cdep import service_of
from cdep.prediction import WORKERS
from cdep.program import Program, masks_of, order_of, rules_of
from cdep.serial import shares_of_commands, shares_of_keys_at
from psmr.advice.batches import Commands, batches_of, preload_of, taken
from psmr.advice.pace import pace_of
from psmr.advice.predicting import Measured
from psmr.advice.report import TOP, Asked, document_of, named
from psmr.advice.running import Ran, Runner
from psmr.advice.twin import WINDOW
from psmr.advice.undisturbed import undisturbed
from psmr.execution.waits import Waited, Waits
from psmr.services import find_application
from psmr.workload import WorkloadOptions

BATCH = 1024
CLIENTS = 4
ENGINES = ("smr", "paper", "psmr", "watched")
TOO_SLOW_S = 1.0
"""A round of the paper's way that takes longer is its last: what it says is clear."""
SETTLED = 0.03
"""Rounds have settled where of each engine the odd and the even ones are no further apart."""
ALLOWED = 0.15
"""How far a prediction may be from what was measured."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure."""

    workers: tuple[int, ...]
    commands: int = 32 * BATCH
    """Of a round; every round executes others, for a state that they have changed before would answer otherwise."""
    rounds: int = 8
    warm_ups: int = 7
    """Rounds that are not counted: code, caches, and the choice of width, which has to see both ways."""
    rounds_least: int = 4
    """After so many measuring ends where one half of them says what the other does."""


@dataclass(slots=True)
class _Watched:
    """What was waited for, over all measured rounds; `at_rows` by command of the program, in ns."""

    at_rows: Any
    seconds: float = 0.0
    by_worker: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    """(ns waited at commands, ns waited for others' early stages, ns in batches, waits included)."""


def measure(scene: Scene, effort: Effort) -> list[dict[str, Any]]:
    """A row a number of workers."""
    return [_measure_at(scene, effort, workers) for workers in effort.workers]


def _measure_at(scene: Scene, effort: Effort, workers: int) -> dict[str, Any]:
    application = find_application(scene.app)
    service = service_of(application.service)
    workload = application.workload(WorkloadOptions(1, CLIENTS, BATCH, None, scene.parameters))
    preload = preload_of(service, workload)
    batches = batches_of(service, workload, CLIENTS)
    found = _Found()
    with (
        closing(Measured(application.service, preload, workers)) as inputs,
        closing(_Engines(application.service, workers, preload)) as engines,
    ):
        warm = [_round(taken(batches, effort.commands), inputs, engines) for _ in range(effort.warm_ups)]
        while len(found.parts) < effort.rounds and not found.is_settled(effort):
            found.add(*_round(taken(batches, effort.commands), inputs, engines, is_counted=True))
        engines.compare_states()
        before = sum(batch.count for part, _ in warm for batch in part)
        program = inputs.program(list(chain.from_iterable(found.parts)), before)
        costs = inputs.costs
    curve = tuple(sorted({*WORKERS, workers}))
    document = document_of(Asked(scene.app, scene.label, BATCH), program, costs, curve)
    return _row(scene, workers, found, document, _waiting(program, _watched(program, found), workers))


def _round(
    part: Sequence[Commands], inputs: Measured, engines: _Engines, *, is_counted: bool = False
) -> tuple[Sequence[Commands], dict[str, _Turn]]:
    inputs.round(part, is_counted=is_counted)
    return part, engines.race(part, is_counted=is_counted)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What an engine's turn took; `waited`: of its workers, where they write it down, and the slot that it began with."""

    ran: Ran
    waited: Sequence[Waited] = ()
    begins: int = 0


class _Found:
    """What each engine's pieces and rounds took."""

    def __init__(self) -> None:
        self.parts: list[Sequence[Commands]] = []
        self.watched: list[_Turn] = []
        self._pieces: dict[str, list[list[float]]] = {name: [] for name in ENGINES}
        self.rounds: dict[str, list[float]] = {name: [] for name in ENGINES}

    def add(self, batches: Sequence[Commands], turns: Mapping[str, _Turn]) -> None:
        """A round."""
        counts = [batch.count for batch in batches]
        self.parts.append(batches)
        self.watched.append(turns["watched"])
        for name, turn in turns.items():
            self._pieces[name].append(pace_of(turn.ran, counts))
            self.rounds[name].append(sum(counts) / turn.ran.seconds)

    def is_settled(self, effort: Effort) -> bool:
        """Whether every other round says of each engine what those in between do, and more would say no more."""
        if len(self.parts) < effort.rounds_least:
            return False
        halves = [(found[::2], found[1::2]) for found in self._pieces.values() if len(found) == len(self.parts)]
        ratios = [_figure(first) / _figure(second) for first, second in halves]
        return all(abs(ratio - 1) <= SETTLED for ratio in ratios)

    @property
    def rates(self) -> dict[str, float]:
        """Commands a second of each: the undisturbed pieces'."""
        return {name: 1e9 / _figure(each) for name, each in self._pieces.items()}


def _figure(rounds: Sequence[Sequence[float]]) -> float:
    return undisturbed(chain.from_iterable(rounds))


class _Engines:
    """The four, over the same service; each sleeps while another one runs."""

    def __init__(self, owner: Any, workers: int, preload: Sequence[Commands]) -> None:
        def together(synchronous: int, count: int) -> int:
            return workers

        self.runners = {
            "smr": Runner(owner, 1, at_once=WINDOW),
            "paper": Runner(owner, workers, at_once=WINDOW, look_ahead=0, choose=together),
            "psmr": Runner(owner, workers, at_once=WINDOW),
            "watched": Runner(owner, workers, at_once=WINDOW, choose=together),
        }
        self._given_up: set[str] = set()
        self._waits = Waits(self.runners["watched"].engine.memory)
        for runner in self.runners.values():
            runner.start()
        for runner in self.runners.values():
            runner.run(preload)
        self._waits.take()

    def race(self, batches: Sequence[Commands], *, is_counted: bool) -> dict[str, _Turn]:
        """What each took; raises AssertionError if their replies differ."""
        turns: dict[str, _Turn] = {}
        answers: dict[str, int] = {}
        for name, runner in self.runners.items():
            if name in self._given_up:
                continue
            digest = xxhash.xxh3_64()
            begins = runner.next_slot
            ran = runner.run(batches, lambda executed, digest=digest: digest.update(executed.reply))  # type: ignore[misc]
            turns[name] = _Turn(ran, self._waits.take() if name == "watched" else (), begins)
            if name == "paper" and is_counted and ran.seconds > TOO_SLOW_S:
                self._given_up.add(name)
            answers[name] = digest.intdigest()
        if len(set(answers.values())) != 1:
            raise AssertionError(f"collapse: expected the replies of one thread from all, found {answers}")
        return turns

    def compare_states(self) -> None:
        """Raises AssertionError if they differ."""
        there = {name: runner for name, runner in self.runners.items() if name not in self._given_up}
        digests = {name: runner.engine.digest() for name, runner in there.items()}
        if len(set(digests.values())) != 1:
            raise AssertionError(f"collapse: expected the state of one thread in all, found {digests}")

    def close(self) -> None:
        """End the workers of all."""
        for runner in self.runners.values():
            runner.close()


def _watched(program: Program, found: _Found) -> _Watched:
    """The waits of all rounds by command; rows of a slot are in the order of execution."""
    rules = rules_of(program.service)
    order = order_of(program, masks_of(program, rules), rules)
    watched = _Watched(np.zeros(program.count))
    batches = 0
    for part, turn in zip(found.parts, found.watched, strict=True):
        watched.seconds += turn.ran.seconds
        for worker, waited in enumerate(turn.waited):
            slots, rows, ns = waited.at_rows.T
            np.add.at(watched.at_rows, order[program.batches[batches + slots - turn.begins] + rows], ns)
            waits_ns, rounds_ns, busy_ns = watched.by_worker.setdefault(worker, (0.0, 0.0, 0.0))
            watched.by_worker[worker] = (
                waits_ns + float(ns.sum() + waited.unknown_ns),
                rounds_ns + waited.rounds_ns,
                busy_ns + sum(busy[worker] for busy in turn.ran.busy_ns),
            )
        batches += len(part)
    return watched


def _waiting(program: Program, watched: _Watched, workers: int) -> dict[str, Any]:
    """The share of its time that each worker waited, at which commands and keys, and that it had nothing left to do."""
    total_ns = watched.seconds * 1e9 or 1.0
    rules = rules_of(program.service)
    rows = np.flatnonzero(watched.at_rows)
    weights = watched.at_rows[rows]
    shares = {
        "by_command": shares_of_commands(program, rows, weights),
        "by_key": shares_of_keys_at(program, rules, rows, weights, TOP),
    }
    by_worker = [watched.by_worker[worker] for worker in range(workers)]
    return {
        "at_commands": [waits_ns / total_ns for waits_ns, _, _ in by_worker],
        "for_early_stages": [rounds_ns / total_ns for _, rounds_ns, _ in by_worker],
        "nothing_left": [max(0.0, 1 - busy_ns / total_ns) for _, _, busy_ns in by_worker],
        **{
            name: [{"what": named(each), "share": each.share, "of_commands": each.of_commands} for each in found]
            for name, found in shares.items()
        },
    }


def _row(
    scene: Scene, workers: int, found: _Found, document: dict[str, Any], waiting: dict[str, Any]
) -> dict[str, Any]:
    rates = found.rates
    by_workers = {row["workers"]: row for row in document["predicted"]}
    one, many = by_workers[1]["per_s"], by_workers[workers]
    predicted = {"smr": one, "psmr": many["per_s"], "paper": one * many["paper_speed_up"]}
    return {
        "app": scene.app,
        "label": scene.label,
        "workers": workers,
        **{f"{name}_per_s": round(rate) for name, rate in rates.items()},
        "paper_ratio": round(rates["paper"] / rates["smr"], 3),
        "psmr_ratio": round(rates["psmr"] / rates["smr"], 3),
        "together_ratio": round(rates["watched"] / rates["smr"], 3),
        "predicted_per_s": {name: round(rate) for name, rate in predicted.items()},
        "predicted_together_per_s": round(one * many["together_speed_up"]),
        "difference": {name: round(rate / rates[name] - 1, 3) for name, rate in predicted.items()},
        "within": all(abs(rate / rates[name] - 1) <= ALLOWED for name, rate in predicted.items() if name != "paper"),
        "waiting": waiting,
        "advice": document,
        "runs_per_s": {name: [round(run) for run in runs] for name, runs in found.rounds.items()},
        "spread": {name: round((max(runs) - min(runs)) / median(runs), 3) for name, runs in found.rounds.items()},
    }
