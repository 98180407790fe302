"""Become another program that the kernel kills when its parent dies: `python starter.py PARENT_PID PROGRAM ARGUMENT…`.

A server that was not written to die with its parent does so all the same: the wish survives `exec`. It is made here,
after the fork, rather than in a process with threads between fork and exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Never returns."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A parent that died before the wish was made is no longer there to be outlived.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
