"""What a chaos run is asked to do, and what it says in the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psmr.chaos.plan import KINDS
from psmr.config import Tuning
from psmr.demo.options import DemoOptions
from psmr.demo.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """The options of `psmr chaos`. `kills` in place of a drawn plan: the leader killed so many times in a row."""

    load: DemoOptions
    durability: str = "disk"
    kinds: tuple[str, ...] = KINDS
    kills: int = 0
    election_timeout_ms: int = Tuning().election_timeout_ms
    heartbeat_ms: int = Tuning().heartbeat_ms
    data: Path | None = None
    """Where the replicas' folders lie and stay; without it they go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosResult(Verdicts):
    """The outcome. Times of `happenings` are seconds from the beginning of the load.

    `unavailable_ms` has, for each kill of a leader, the longest time without an acknowledged command from the kill to the next
    fault; `p50` and `p99` are of these, None without any.
    """

    app: str
    replicas: int
    durability: str
    seed: int
    seconds: float
    commands: int
    faults: dict[str, int]
    snapshots_taken: int
    snapshots_fetched: int
    leader_kills: int
    unavailable_ms: tuple[float, ...]
    unavailable_p50_ms: float | None
    unavailable_p99_ms: float | None
    happenings: tuple[dict[str, Any], ...]
