"""What a demonstration is asked to do, and what it says in the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of `psmr demo`. `rate` is how many commands a second all clients together offer at most."""

    app: str = "kv"
    replicas: int = 3
    workers: int = 2
    seconds: float = 15.0
    clients: int = 4
    input: Path | None = None
    json: bool = False
    rate: int = 25_000
    batch: int = 64
    seed: int = 1


@dataclass(frozen=True, slots=True)
class DemoResult:
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
    acknowledged: int
    read_beside_log: int
    unknown: int
    lost: int
    duplicated: int
    digests: tuple[str, ...]
    digests_equal: bool
    model_equal: bool
    model_difference: str
    linearizable: bool | None
    linearizability: str

    @property
    def passed(self) -> bool:
        """Whether nothing was lost or duplicated and every comparison holds."""
        clean = self.lost == 0 and self.duplicated == 0
        return clean and self.digests_equal and self.model_equal and self.linearizable is True
