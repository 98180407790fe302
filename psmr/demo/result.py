"""What a demonstration says in the end."""

from __future__ import annotations

from dataclasses import dataclass

from psmr.demo.verdicts import Verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult(Verdicts):
    """The outcome. `unavailable_ms` is the longest time without an acknowledged command after the leader was killed."""

    app: str
    replicas: int
    workers: int
    seconds: float
    commands: int
    commands_per_s: float
    synchronous_commands: int
    worker_shares: tuple[float, ...]
    unavailable_ms: float
