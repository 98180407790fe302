"""What a demonstration is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    lint: str = "on"
    """"off": a service that may make replicas differ is started all the same."""
    rate: int = 25_000
    batch: int = 64
    seed: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the application's workload."""
