"""What this machine knows of replicas that do not answer: whether a process holds their data folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from psmr.cluster.status import ReplicaStatus
from psmr.storage.identity import LOCK_NAME

_PROCESS_NAME = "psmr-replica"


def explained(statuses: Sequence[ReplicaStatus], folders: Mapping[int, Path]) -> list[ReplicaStatus]:
    """The statuses, saying of each silent replica whether it runs here; of one with its folder elsewhere nothing is known."""
    return [
        status if status.reachable or status.id is None else replace(status, problem=_problem(status, folders))
        for status in statuses
    ]


def process_of(folder: Path) -> int | None:
    """The replica that uses a data folder on this machine, by what it wrote into its lock; nothing is locked for it."""
    # A process id may be another's by now, or another namespace's: the name that replicas give themselves must fit.
    with suppress(OSError, ValueError):
        process = int((folder / LOCK_NAME).read_text())
        if Path(f"/proc/{process}/comm").read_text().startswith(_PROCESS_NAME):
            return process
    return None


def _problem(status: ReplicaStatus, folders: Mapping[int, Path]) -> str:
    folder = folders.get(status.id or 0)
    if folder is None or not (folder / LOCK_NAME).exists():
        return status.problem
    process = process_of(folder)
    return "not running" if process is None else f"process {process} is starting, or hangs"
