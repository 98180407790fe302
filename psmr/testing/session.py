"""What the assertions ask of the run that they are part of: a seed, how long to search, where to write.

Without pytest it is what stands here; the plugin puts its options in its place for the time of its run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psmr.testing.asked import whole

SEED = 1
SECONDS = 5.0


def _temporary_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="psmr-"))


@dataclass(slots=True)
class Session:
    """`folder()` is where a report may lie; `seeds` are those that the test of now has used, the latest last."""

    seed: int = SEED
    seconds: float = SECONDS
    folder: Callable[[], Path] = _temporary_folder
    seeds: tuple[int, ...] = ()

    def seed_for(self, given: int | None) -> int:
        """The seed given, or that of the run; it is remembered. Raises ConfigurationError for what is none."""
        seed = self.seed if given is None else whole("a seed", given, 0)
        self.seeds = (*(known for known in self.seeds if known != seed), seed)
        return seed


_sessions = [Session()]


def session() -> Session:
    """That of now."""
    return _sessions[-1]


def enter(entered: Session) -> None:
    """From now on this one holds; runs of pytest within a run stack up."""
    _sessions.append(entered)


def leave(left: Session) -> None:
    """It holds no longer."""
    if left in _sessions[1:]:
        _sessions.remove(left)
