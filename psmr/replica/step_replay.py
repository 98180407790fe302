"""What a command did, said by a replay of a replica's folder in a process of its own: `psmr replay`.

The replica's own process cannot: it serves, or its memory is what is to be examined. The folder is only read.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

OUTPUT_BYTES_MAX = 8 << 20
_GRACE_S = 2.0


class StepReplay:
    """One replay, of one command: under way until `finished` says what it printed."""

    def __init__(self, folder: Path, service: str, index: int, row: int, *, compiled: bool) -> None:
        self.place = index, row
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        form = [] if compiled else ["--interpreted"]
        position = ["--to", f"{index}:{row}", "--step", "--last", "1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "psmr", "replay", str(folder), *position, "--service", service, *form, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the replica's to deal with
        )

    def finished(self) -> bytes | None:
        """What was printed; None while it is under way."""
        if self._process.poll() is None:
            return None
        return os.pread(self._output.fileno(), OUTPUT_BYTES_MAX, 0)

    def close(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()


def step_in(output: bytes, index: int, row: int) -> dict[str, Any] | str:
    """The command's part of what a replay printed; a line that says why there is none."""
    try:
        found: Any = msgspec.json.decode(output)
    except (msgspec.MsgspecError, RecursionError):
        return "the replay ended without an answer"
    if not isinstance(found, dict):
        return "the replay ended without an answer"
    steps = found.get("steps")
    if isinstance(steps, list) and steps and isinstance(steps[-1], dict):
        step: dict[str, Any] = steps[-1]
        if (step.get("index"), step.get("row")) == (index, row):
            return step
    error = found.get("error")
    return str(error.get("message")) if isinstance(error, dict) else f"the replay did not come to {index}:{row}"
