"""One replica as a child process: `python -m psmr serve FILE --id N`, its output in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from psmr.errors import ConfigurationError

DIE_WITH_PARENT = "PSMR_DIE_WITH_PARENT"
"""The environment's word to `serve`: the process id of a parent not to outlive."""
TAIL_BYTES = 8192


class ReplicaProcess:
    """A replica of the cluster in `file`; it can be started again after it ended.

    The kernel kills it when the thread that started it ends, so start it from a thread that lives as long as it should.
    Ctrl-C at the terminal reaches only the parent, which stops its replicas in its own order. `variables` are added to the
    environment that it inherits.
    """

    def __init__(
        self,
        file: Path,
        replica_id: int,
        log: Path,
        *,
        lifeline: int | None = None,
        variables: Mapping[str, str] | None = None,
        joins: bool = False,
        allow_nondeterminism: bool = False,
    ) -> None:
        self.id = replica_id
        self._options = [
            *(["--join"] if joins else []),
            *(["--allow-nondeterminism"] if allow_nondeterminism else []),
        ]
        self.log = log
        self._file = file
        self._lifeline = lifeline
        self._variables = dict(variables or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """What it ended with, minus the signal's number if one ended it; None if it was not started or runs."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it unless it runs. It inherits what this process can import."""
        if self.running:
            return
        with self._open_log() as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "psmr", "serve", str(self._file), "--id", str(self.id), *self._options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**_environment(), **self._variables},
                pass_fds=() if self._lifeline is None else (self._lifeline,),
                process_group=0,
            )

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._signal(signal.SIGKILL)
        self.wait(None)

    def terminate(self) -> None:
        """Ask it to stop, even if it is paused."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def pause(self) -> None:
        """SIGSTOP: as a machine that hangs."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    def wait(self, timeout_s: float | None) -> int | None:
        """Its exit code when it has ended, None if it has not within that time or was never started."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def last_line(self) -> str:
        """The last line of its output: why it ended, if it could say so."""
        try:
            with open(self.log, "rb") as output:
                output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = output.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def obituary(self) -> str:
        """How it ended, in one line."""
        code = self.exit_code
        if code is None:
            return f"replica {self.id} has not ended"
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        last = self.last_line().removeprefix("psmr: ")
        # One that was killed said nothing about it: its last line tells of something else.
        return f"replica {self.id} {how}" + (f": {last}" if last and code > 0 else "")

    def _open_log(self) -> BinaryIO:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            return open(self.log, "ab")
        except OSError as error:
            raise ConfigurationError(
                f"{self.log}: expected a file to write the replica's output to, found: {error.strerror}: "
                "give the cluster a data folder that can be written"
            ) from None

    def _signal(self, number: signal.Signals) -> None:
        # Popen knows whether the process was reaped, so the id cannot have become somebody else's.
        if self._process is not None:
            self._process.send_signal(number)


def stop_all(processes: list[ReplicaProcess], grace_s: float) -> None:
    """Ask all to stop, then kill those that have not within about `grace_s` seconds each."""
    try:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(grace_s)
    finally:
        for process in processes:
            process.kill()


def _environment() -> dict[str, str]:
    paths = [os.path.abspath(path) for path in sys.path]
    # Machine code is kept beside the sources in any case; without bytecode beside them each start would compile them all anew,
    # a quarter of its processor time.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, DIE_WITH_PARENT: str(os.getpid()), "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
