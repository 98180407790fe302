"""A small process that removes a folder once nobody can use it any more, in whatever way the others ended.

The janitor reads a pipe that nothing is ever written to. The owner holds its other end, and so does every replica
that was started with `lifeline`: the kernel closes it for those that are killed, too, so the end of the pipe means that
owner, replicas and their workers are all gone, and the folder can be removed with nobody left to write into it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CLOSE_TIMEOUT_S = 5.0

# The loop is for file systems on which a removed file stays for a moment (NFS).
_SCRIPT = """
trap '' INT TERM HUP
echo ready
while read -r nothing; do :; done
tries=0
while [ -e "$1" ] && [ "$tries" -lt 50 ]; do
    rm -rf -- "$1" || sleep 0.1
    tries=$((tries + 1))
done
"""


class Janitor:
    """Removes `folder` when the last process that holds `lifeline` has ended. Lives in a session of its own."""

    def __init__(self, folder: Path) -> None:
        reading, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "psmr-janitor", str(folder)],
                stdin=reading,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(reading)
        self._wait_until_deaf()

    def _wait_until_deaf(self) -> None:
        """A signal that comes before the janitor ignores it would end it, and the folder would stay."""
        if self._process.stdout is not None:
            self._process.stdout.readline()
            self._process.stdout.close()

    @property
    def lifeline(self) -> int:
        """The descriptor to hand down to each process that uses the folder."""
        return self._lifeline

    @property
    def pid(self) -> int:
        """The janitor's process id."""
        return self._process.pid

    def close(self) -> None:
        """Let the janitor do its work, or find it done, and wait for its end."""
        if self._lifeline == -1:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # Some other process inherited the lifeline and lives on; the folder is no longer the owner's concern.
            self._process.kill()
            self._process.wait()
