"""`psmr serve` in the words in which local clusters start replicas: run without the parser of command lines.

Importing that parser takes a sixth of what a replica's start takes, and a local cluster knows what it says. Words in any other
form are the parser's.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Serve(NamedTuple):
    """Which replica to be."""

    file: Path
    replica_id: int
    join: bool

    @classmethod
    def said_by(cls, words: Sequence[str]) -> Serve | None:
        """What the words ask for, if they are `serve FILE --id N`, and `--join` perhaps, in this order."""
        match list(words):
            case ["serve", file, "--id", number, *rest] if rest in ([], ["--join"]):
                is_plain = not file.startswith("-") and number.isascii() and number.isdecimal()
                return cls(Path(file), int(number), bool(rest)) if is_plain else None
        return None

    def run(self) -> int:
        """Be the replica until Ctrl-C or SIGTERM; the exit code."""
        with _without_collecting():
            from psmr.config import load

            config = load(self.file)
            config.replica(self.replica_id)

            from psmr.services import find_service

            owner = find_service(config.service)

            from psmr.replica.serve import serve as run_replica

        return run_replica(config, self.replica_id, owner, joins=self.join)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Imports leave hardly any garbage, and looking for it takes an eighth of their time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
