"""Many chaos runs one after another: over applications and sizes, each with a seed of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from psmr.chaos.command import run_chaos
from psmr.chaos.options import ChaosOptions, ChaosResult
from psmr.demo.options import DemoOptions
from psmr.errors import PsmrError

ROUND_S = 150.0
"""The longest of one run: its history is to be checked, and its log executed again, in memory and in a few minutes."""
RATE = 4000
"""Commands a second, if the command line does not say otherwise."""
TURNS = (("kv", 3), ("nameserver", 3), ("kv", 5), ("nameserver", 5))


@dataclass(frozen=True, slots=True)
class Round:
    """One run of a series. `number` counts from 0; `words` are the series' other options, as on the command line."""

    number: int
    app: str
    replicas: int
    seconds: float
    seed: int
    words: str = ""

    @property
    def command(self) -> str:
        """What runs this one alone."""
        own = f"--replicas {self.replicas} --seconds {self.seconds:g} --seed {self.seed}"
        return f"psmr chaos {self.app} {own} {self.words}".rstrip()


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


def rounds(options: ChaosOptions) -> Iterator[Round]:
    """Runs of at most ROUND_S, of equal length, for the load's seconds in all; each of TURNS equally often, or almost."""
    seconds, seed, words = options.load.seconds, options.load.seed, _words(options)
    count = math.ceil(seconds / ROUND_S)
    if count > 1:
        count = math.ceil(count / len(TURNS)) * len(TURNS)
    for number in range(count):
        app, replicas = TURNS[number % len(TURNS)]
        yield Round(number, app, replicas, seconds / count, seed + number, words)


def run_round(part: Round, options: ChaosOptions, parameters: Mapping[str, str]) -> Ended:
    """Run one, with the series' options and these parameters of its workload; an error that ends it is its outcome."""
    load = replace(
        options.load,
        app=part.app,
        replicas=part.replicas,
        seconds=part.seconds,
        seed=part.seed,
        parameters=parameters,
    )
    try:
        result, _ = run_chaos(replace(options, load=load))
    except PsmrError as error:
        return Ended(part, error=f"{type(error).__name__}: {error}")
    return Ended(part, result)


def _words(options: ChaosOptions) -> str:
    """The options that every run of the series shares, where they are not what the command takes by itself."""
    load, usual = options.load, ChaosOptions(DemoOptions())
    shared = (
        ("workers", load.workers, usual.load.workers),
        ("clients", load.clients, usual.load.clients),
        ("rate", load.rate, RATE),
        ("durability", options.durability, usual.durability),
        ("faults", ",".join(options.kinds), ",".join(usual.kinds)),
        ("election-timeout-ms", options.election_timeout_ms, usual.election_timeout_ms),
        ("heartbeat-ms", options.heartbeat_ms, usual.heartbeat_ms),
    )
    return " ".join(f"--{name} {value}" for name, value, default in shared if value != default)
