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

_SWITCHES = ("--join", "--allow-nondeterminism")


def _say(text: str) -> None:
    from psmr.cli.output import say

    say(text)


class Serve(NamedTuple):
    """Which replica to be."""

    file: Path
    replica_id: int
    join: bool = False
    allow_nondeterminism: bool = False

    @classmethod
    def said_by(cls, words: Sequence[str]) -> Serve | None:
        """What the words ask for, if they are `serve FILE --id N`, and then perhaps one or both of `_SWITCHES`, each once."""
        match list(words):
            case ["serve", file, "--id", number, *rest] if set(rest) <= set(_SWITCHES) and len(set(rest)) == len(rest):
                is_plain = not file.startswith("-") and number.isascii() and number.isdecimal()
                return cls(Path(file), int(number), *(each in rest for each in _SWITCHES)) if is_plain else None
        return None

    def run(self) -> int:
        """Be the replica until Ctrl-C or SIGTERM; the exit code."""
        with _without_collecting():
            from psmr.config import load

            config = load(self.file)
            config.replica(self.replica_id)

            from psmr.services import find_service

            owner = find_service(config.service)

            from psmr.lint import refuse_nondeterminism

            override = refuse_nondeterminism(owner, allowed=self.allow_nondeterminism or config.lint == "off", say=_say)

            from psmr.replica.serve import serve as run_replica

        return run_replica(config, self.replica_id, owner, joins=self.join, override=override)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Imports leave hardly any garbage, and looking for it takes an eighth of their time; later as much, hence `freeze`."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
