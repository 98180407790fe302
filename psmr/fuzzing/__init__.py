"""Fuzzed input on every decoder: mutants of valid inputs, each to be refused by a documented error or rightly accepted.

    registry ──► Target: corpus, decode, refusals, wrong        mutation ──► mutant(target, seed, case)
        └──────────────────────► running: run, replay ◄─────────────┘

The same target, seed and case give the same bytes, so that a failure is replayed by its two numbers.
"""

from psmr.fuzzing.registry import SUMMARIES, build
from psmr.fuzzing.running import Failure, Result, replay, run
from psmr.fuzzing.target import Target

__all__ = ["SUMMARIES", "Failure", "Result", "Target", "build", "replay", "run"]
