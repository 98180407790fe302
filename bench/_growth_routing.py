"""How do throughput and the number of workers, of groups in use, or the skew of keys go together? The other things stand still.

Half gets, half puts, on `KEYS` keys, no synchronous command: what is left is how evenly groups spread the work, and what
more workers cost where there are not more cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench._growth_engine import Driven
from bench._growth_model import mixed
from bench._growth_plan import Plan
from bench._growth_rows import TIME_IS_UP, Figures, Row, line, measured, stopped
from bench._growth_services import GrowingMap
from cdep.hashing import GROUPS, groups_of_u64

WORKERS_DIMENSION, GROUPS_DIMENSION, SKEW_DIMENSION = "workers", "groups", "skew"
KEYS = 50_000
TWO = 2

Size = TypeVar("Size", int, float)
Keys = NDArray[np.int64]
Draw = Callable[[np.random.Generator, Keys, int], Keys]
"""`draw(random, keys, count)`: that many of the keys."""


def measure_workers(plan: Plan, until: float, say: Callable[[str], None]) -> Iterator[Row]:
    """A row a number of workers, with all 64 groups in use; the digest must not depend on it."""
    series, cores = "Map, 64 groups", len(os.sched_getaffinity(0))
    digests: set[int] = set()

    def measure(workers: int) -> Row:
        figures, right = _measure(workers, np.arange(KEYS), _evenly, plan, digests)
        note = f"more workers than the {cores} cores" if workers > cores else ""
        return measured(WORKERS_DIMENSION, workers, series, figures, right, cores=cores, note=note)

    return _in_time(WORKERS_DIMENSION, series, plan.workers, measure, until, say)


def measure_groups(plan: Plan, until: float, say: Callable[[str], None]) -> Iterator[Row]:
    """A row a number of groups that the keys are of, for two workers."""
    series = "Map, 2 workers"

    def measure(groups: int) -> Row:
        keys = _keys_of(groups)
        figures, right = _measure(TWO, keys, _evenly, plan, set())
        share = hottest_share(keys, TWO)
        note = f"{share:.0%} on one worker"
        return measured(GROUPS_DIMENSION, groups, series, figures, right, hottest_share=share, note=note)

    return _in_time(GROUPS_DIMENSION, series, plan.groups, measure, until, say)


def measure_skew(plan: Plan, until: float, say: Callable[[str], None]) -> Iterator[Row]:
    """A row an exponent of Zipf's law, for one worker and then for two, which must agree on the digest."""
    digests: dict[float, set[int]] = {exponent: set() for exponent in plan.exponents}
    for workers, series in ((1, "Map, 1 worker"), (TWO, "Map, 2 workers")):
        measure = partial(_with_skew, workers, series, plan, digests)
        yield from _in_time(SKEW_DIMENSION, series, plan.exponents, measure, until, say)


def _with_skew(workers: int, series: str, plan: Plan, digests: dict[float, set[int]], exponent: float) -> Row:
    draw = _by_rank(exponent)
    share = hottest_share(draw(np.random.default_rng(3), np.arange(KEYS), 1 << 18), workers)
    figures, right = _measure(workers, np.arange(KEYS), draw, plan, digests[exponent])
    note = f"{share:.0%} on one worker" if workers > 1 else ""
    return measured(SKEW_DIMENSION, exponent, series, figures, right, hottest_share=share, note=note)


def _in_time(
    dimension: str,
    series: str,
    sizes: Sequence[Size],
    measure: Callable[[Size], Row],
    until: float,
    say: Callable[[str], None],
) -> Iterator[Row]:
    """The first size's row, and those of the others that are begun in time; what is left out is said."""
    for size in sizes:
        late = size != sizes[0] and time.monotonic() > until
        row = stopped(dimension, size, series, TIME_IS_UP) if late else measure(size)
        say(line(row))
        yield row
        if late:
            return


def _measure(workers: int, keys: Keys, draw: Draw, plan: Plan, digests: set[int]) -> tuple[Figures, bool]:
    """Figures on keys drawn from `keys`, and whether replies and digest were right; adds to `digests`."""
    random = np.random.default_rng(5)
    with Driven(GrowingMap, workers) as driven:
        driven.fill(keys, plan)
        figures = driven.measure(lambda count: mixed(random, draw(random, keys, count)), plan)
        digests.add(driven.engine.digest())
        return figures, driven.right and len(digests) == 1


def _evenly(random: np.random.Generator, keys: Keys, count: int) -> Keys:
    drawn: Keys = keys[random.integers(0, len(keys), count)]
    return drawn


def _by_rank(exponent: float) -> Draw:
    """The key of rank r in proportion to 1 / r^exponent; popular keys are no neighbours."""
    cumulative = np.cumsum(1.0 / np.arange(1, KEYS + 1) ** exponent)
    ranks = np.random.default_rng(13).permutation(KEYS)

    def draw(random: np.random.Generator, keys: Keys, count: int) -> Keys:
        places = np.searchsorted(cumulative, random.random(count) * cumulative[-1], side="right")
        drawn: Keys = keys[ranks[np.minimum(places, KEYS - 1)]]
        return drawn

    return draw


def _keys_of(groups: int) -> Keys:
    """`KEYS` keys whose group is below `groups`: within every 64 neighbours each group occurs once."""
    keys = np.arange(-(-KEYS // groups) * GROUPS)
    return keys[_groups_of(keys) < groups][:KEYS]


def hottest_share(keys: Keys, workers: int) -> float:
    """The share of commands on `keys`, one each, that the busiest of the workers executes."""
    return round(float(np.bincount(_groups_of(keys) % workers).max() / len(keys)), 3)


def _groups_of(keys: Keys) -> NDArray[Any]:
    groups: NDArray[Any] = groups_of_u64(keys.astype(np.uint64))
    return groups
