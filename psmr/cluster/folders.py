"""Temporary folders that vanish with their owner, however it ends."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

from psmr.cluster.interrupts import holding_interrupts
from psmr.cluster.janitor import Janitor

PREFIX = "psmr-"


class TemporaryFolder:
    """A new folder `psmr-…` in the system's temporary one, or in `place`. `close`, or the end of a `with`, removes it, or a
    janitor if the owner is killed."""

    def __init__(self, place: Path | None = None) -> None:
        if place is None:
            # To find out where that is, Python makes a file at the first call and removes it.
            with holding_interrupts():
                place = Path(tempfile.gettempdir())
        self.path = Path(place, PREFIX + secrets.token_hex(8)).absolute()
        # The janitor comes first: a folder made before it would outlive an owner killed in between.
        self._janitor = Janitor(self.path)
        self.path.mkdir(mode=0o700)

    @property
    def lifeline(self) -> int:
        """To be inherited by each process that uses the folder: it is removed only after they have ended."""
        return self._janitor.lifeline

    @property
    def janitor_pid(self) -> int:
        """The janitor's process id."""
        return self._janitor.pid

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder; every process that uses it must have ended."""
        try:
            if self.path.exists():
                shutil.rmtree(self.path)
        finally:
            self._janitor.close()
