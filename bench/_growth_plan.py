"""How far each thing grows, and how long that may take."""

from __future__ import annotations

from dataclasses import dataclass

BATCH = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes by dimension; `round_batches` batches are executed a run, `runs` runs are measured after `warm_ups` others.

    What is not reached `keys_s` or `log_s` seconds after the dimension's start, or `engines_s` after that of the whole, is
    left out, with a row that says so; the smallest of each is measured in any case. Clients come after that, and take
    `clients_s` a run.
    """

    engines_s: float = 245.0
    keys: tuple[int, ...] = (10**4, 10**5, 10**6, 10**7, 10**8)
    keys_s: float = 135.0
    log: tuple[int, ...] = (10**5, 10**6, 10**7, 10**8, 10**9)
    log_s: float = 55.0
    workers: tuple[int, ...] = (1, 2, 4, 8, 16)
    groups: tuple[int, ...] = (1, 2, 4, 8, 16)
    exponents: tuple[float, ...] = (0.0, 0.5, 0.99, 1.2)
    clients: tuple[int, ...] = (1, 4, 16, 64, 256)
    clients_s: float = 2.0
    round_batches: int = 1000
    warm_ups: int = 2
    runs: int = 3


FULL = Plan()
QUICK = Plan(
    keys=(10**4, 10**5),
    keys_s=30.0,
    log=(3 * 10**6, 10**7),
    log_s=20.0,
    workers=(1, 2),
    groups=(1, 2),
    exponents=(0.0, 0.5),
    clients=(1, 4),
    clients_s=0.1,
    round_batches=32,
    warm_ups=1,
)
