"""What a demonstration is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psmr.json_output import JsonOutput

SECONDS = 15.0
RATE = 25_000
LONGEST_S = 900.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of `psmr demo`. `rate` is how many commands a second all clients together offer at most.

    `to_the_end`: clients go on after `seconds` until the input file ends, for `LONGEST_S` at most.
    """

    app: str = "kv"
    replicas: int = 3
    workers: int = 2
    seconds: float = SECONDS
    clients: int = 4
    input: Path | None = None
    output: JsonOutput = field(default_factory=lambda: JsonOutput(None))
    lint: str = "on"
    """"off": a service that may make replicas differ is started all the same."""
    rate: int = RATE
    batch: int = 64
    seed: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the application's workload."""
    to_the_end: bool = False

    @property
    def longest_s(self) -> float:
        """When clients stop, whatever they have still to send."""
        return max(self.seconds, LONGEST_S) if self.to_the_end else self.seconds
