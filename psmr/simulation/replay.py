"""How a failure is reproduced, attached to the failure."""

from __future__ import annotations

from types import TracebackType


class Replay:
    """A context that notes on every error that leaves it which seed it was and how to see it again."""

    def __init__(self, seed: int, replicas: int) -> None:
        self._note = f"seed {seed}; replay: {replay_command(seed, replicas)}"

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self._note)


def replay_command(seed: int, replicas: int) -> str:
    """The command that runs one seed again."""
    return f"python -m psmr.simulation --seed {seed} --replicas {replicas}"
