"""A log as a replica leaves it: written by a cluster of one replica, through a client, then read again by others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.kv import IntegerKV
from psmr.client.connecting import connect_blocking
from psmr.cluster.local import LocalCluster
from psmr.replica.serve import cluster_id

REPLICA = 1
COLUMN = 1024
WINDOW = 16
KEYS = 100_000
PATIENCE_S = 120.0
"""Of a client: the machine may have other things to do."""


@dataclass(frozen=True, slots=True)
class WrittenLog:
    """Where a log lies, what is in it, and what its replica had made of it. `key` was put last, with `value`."""

    folder: Path
    cluster_id: int
    last_index: int
    batches: int
    commands: int
    size_bytes: int
    digest: str
    sessions_digest: str
    key: int
    value: int


def write_log(cluster: LocalCluster, commands: int, say: Callable[[str], None]) -> WrittenLog:
    """Have the cluster's one replica execute that many commands (whole columns, so perhaps fewer), then stop it.

    Columns of puts and of gets in turn, random keys, all in the log, `WINDOW` unanswered: the leader puts into one entry what
    came in meanwhile.
    """
    cluster.wait_ready()
    columns = max(2, commands // COLUMN)
    say(f"writing a log of {columns * COLUMN:,} commands")
    key, value = _send(cluster.addresses[0], columns)
    status = cluster.status(REPLICA, digest=True)
    cluster.stop(REPLICA)
    folder = cluster.config.folder(REPLICA)
    return WrittenLog(
        folder,
        cluster_id(cluster.config),
        status.get("last_index"),
        status.get("batches"),
        status.get("commands"),
        sum(file.stat().st_size for file in folder.glob("*.seg")),
        status.get("digest"),
        status.get("sessions_digest"),
        key,
        value,
    )


def _send(address: str, columns: int) -> tuple[int, int]:
    """Send columns; the key and the value of the last put."""
    random = np.random.default_rng(1)
    flying: deque[Any] = deque()
    key = value = 0
    with connect_blocking(IntegerKV, address, window=WINDOW, reads_in_log=True, timeout_s=PATIENCE_S) as client:
        for number in range(columns):
            if len(flying) == WINDOW:
                flying.popleft().result().check()
            keys = random.integers(0, KEYS, COLUMN, dtype=np.uint64)
            if number % 2:
                flying.append(client.get.submit(keys))
            else:
                values = keys * np.uint64(3) + np.uint64(number)
                flying.append(client.put.submit(keys, values))
                key, value = int(keys[-1]), int(values[-1])
        while flying:
            flying.popleft().result().check()
    return key, value
