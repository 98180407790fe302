"""A simulation in several processes that is killed leaves none of them, and has nothing with a name that could stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_support import ending, family, wait_until

pytestmark = pytest.mark.cluster


def test_a_killed_simulation_leaves_no_process_and_nothing_with_a_name() -> None:
    command = [sys.executable, "-m", "psmr", "sim", "--seeds", "100000", "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        try:
            assert running.stderr is not None
            assert b"schedules" in running.stderr.readline(), "it runs"
            wait_until(lambda: len(family(running.pid)) == 3, lambda: f"two processes, found {family(running.pid)}")
            members = family(running.pid)
            assert not {name for member in members for name in shared_names(member)}
            with ending({member: name for member, name in members.items() if member != running.pid}):
                running.kill()
        finally:
            running.kill()


def shared_names(process: int) -> set[str]:
    """What a process has mapped of shared memory that others can find by its name."""
    lines = Path(f"/proc/{process}/maps").read_text().splitlines()
    mapped = {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    return {path for path in mapped if path.startswith("/dev/shm/") and os.path.exists(path)}
