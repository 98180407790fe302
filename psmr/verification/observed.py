"""What a search has observed, for whoever proposes annotations from it."""

from __future__ import annotations

from cdep import Service
from psmr.verification.examining import Trial
from psmr.verification.machine import Call


class Observed:
    """The executions of a service's commands, state by state."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._states: list[list[Trial]] = []

    def observe(self, trials: list[Trial]) -> None:
        """One state's executions."""
        self._states.append(trials)

    def calls(self) -> list[Call]:
        """The calls observed, in order."""
        return [trial.call for trials in self._states for trial in trials]
