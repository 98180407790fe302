"""Many chaos runs one after another: over applications and sizes, each with a seed of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psmr.chaos.command import run_chaos
from psmr.chaos.options import ChaosOptions, ChaosResult
from psmr.demo.options import DemoOptions
from psmr.errors import PsmrError

ROUND_S = 150.0
"""The longest of one run: its history is to be checked, and its log executed again, in memory and in a few minutes."""
TURNS = (("kv", 3), ("nameserver", 3), ("kv", 5), ("nameserver", 5))


@dataclass(frozen=True, slots=True)
class Round:
    """One run of a series. `number` counts from 0."""

    number: int
    app: str
    replicas: int
    seconds: float
    seed: int

    @property
    def command(self) -> str:
        """What runs this one alone."""
        return f"psmr chaos {self.app} --replicas {self.replicas} --seconds {self.seconds:g} --seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a round ended: with a result, or with an error, in words."""

    round: Round
    result: ChaosResult | None = None
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything that it was to hold did."""
        return self.result is not None and self.result.passed


def rounds(seconds: float, seed: int) -> Iterator[Round]:
    """Runs of at most ROUND_S, of equal length, for so many seconds in all; each of TURNS equally often, or almost."""
    count = math.ceil(seconds / ROUND_S)
    if count > 1:
        count = math.ceil(count / len(TURNS)) * len(TURNS)
    for number in range(count):
        app, replicas = TURNS[number % len(TURNS)]
        yield Round(number, app, replicas, seconds / count, seed + number)


def run_round(part: Round, parameters: Mapping[str, str]) -> Ended:
    """Run one, with these parameters of its workload; an error that ends it is its outcome."""
    load = DemoOptions(
        part.app, part.replicas, seconds=part.seconds, rate=4000, batch=16, seed=part.seed, parameters=parameters
    )
    try:
        result, _ = run_chaos(ChaosOptions(load))
    except PsmrError as error:
        return Ended(part, error=f"{type(error).__name__}: {error}")
    return Ended(part, result)
