"""Whether a replica's folder stays small while the log grows: log is written as fast as it goes, and the folders are looked at.

What a folder holds at most follows from the tuning:

- Log since the snapshot that it was last compacted behind. The next snapshot begins `snapshot_mib` of log later (the first one
  up to twice that, for replicas take turns), and until it is on the disk the log grows on.
- Two segments: files go as wholes, so the one in which the snapshot lies stays, and one before it for whoever is a little behind.
- Where a member lags, a leader keeps up to `retain_mib` for it; it looks when it has taken a snapshot, so `snapshot_mib`
  more may come before it looks again.
- Two snapshots: the newest, and the one being written. (While a member fetches an older one, that as well.)
- Zeros written ahead of the log's end, 1 MiB; what was ordered and not executed yet, at most 64 MiB.

Together, with S the size of a snapshot and W the log written while one is being written:

    max(2 x snapshot_mib, retain_mib + snapshot_mib) + 2 x segment_mib + 2 x S + W + 65 MiB
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bench._digests import digests
from bench._records import PAYLOAD_BYTES, Messages
from bench._snapshots_stream import PATIENCE_S, Send, Stream
from bench._snapshots_watch import SnapshotWatch
from psmr.client.commands import ServiceProxy
from psmr.client.connecting import connect_blocking
from psmr.cluster import ReplicaStatus
from psmr.cluster.local import LocalCluster
from psmr.config import Tuning
from psmr.proxy_files import client_module

_LOOK_S = 0.1
_MIB = 1 << 20
_AHEAD_MIB = 65
_SLICES = 40

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Disk:
    """How much log to write, in columns of `rows` commands of 100 bytes, and the tuning of the replicas."""

    log_mib: int
    snapshot_mib: int = 256
    segment_mib: int = 32
    retain_mib: int = 512
    rows: int = 4096
    window: int = 8
    senders: int = 100_000


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a folder: after so much log, this size."""

    at_s: float
    replica: int
    log_bytes: int
    size_bytes: int


def measure(one: Disk, say: Say) -> dict[str, Any]:
    """Write, look, compare with the bound."""
    tuning = Tuning(snapshot_mib=one.snapshot_mib, segment_mib=one.segment_mib, retain_mib=one.retain_mib)
    with LocalCluster(Messages, name="disk", workers=1, tuning=tuning) as cluster:
        say(f"starting 3 replicas to write {one.log_mib:,} MiB of log")
        leader = cluster.wait_ready()
        folders = {number: cluster.config.folder(number) for number in cluster.ids}
        address = cluster.addresses[cluster.ids.index(leader)]
        stream = Stream(one.rows, one.window)
        looks: list[Look] = []
        with (
            connect_blocking(Messages, address, window=one.window, timeout_s=PATIENCE_S, prefer_leader=False) as client,
            SnapshotWatch(folders) as watch,
        ):
            began_s = time.perf_counter()
            stream.run(_sends(client, one), partial(_goes_on, one, stream, folders, looks, say))
        equal = len(set(digests(cluster))) == 1
        statuses = _statuses_with_snapshots(cluster)
    snapshot_bytes = max(status.get("snapshot_bytes") for status in statuses)
    row = _row(one, stream, looks, began_s)
    longest_s = max((seen.seconds for seen in watch.seen), default=0.0)
    row["bound_mib"] = bound_mib(one, snapshot_bytes / _MIB, longest_s * row["log_mib_per_s"])
    row |= {
        "snapshots": {status.id: status.get("snapshots") for status in statuses},
        "snapshot_mib_each": round(snapshot_bytes / _MIB, 1),
        "longest_snapshot_s": round(longest_s, 3),
        "digests_equal": equal,
        "is_bounded": max(row["greatest_mib"].values()) <= row["bound_mib"],
    }
    greatest = max(row["greatest_mib"].values())
    say(
        f"{row['log_mib_written']:,.0f} MiB of log, at most {greatest:,.0f} MiB a folder, bound {row['bound_mib']:,.0f}"
    )
    return row


def _statuses_with_snapshots(cluster: LocalCluster) -> list[ReplicaStatus]:
    """What the replicas say once each has a snapshot: the last to be due may still be written when the load has ended."""
    until = time.monotonic() + PATIENCE_S
    statuses = cluster.statuses()
    while time.monotonic() < until and not all(status.get("snapshots") for status in statuses):
        time.sleep(_LOOK_S)
        statuses = cluster.statuses()
    return statuses


def bound_mib(one: Disk, snapshot_mib: float, meanwhile_mib: float) -> float:
    """The greatest size of a folder that the tuning allows, `meanwhile_mib` being the log written during a snapshot."""
    log_mib = max(2 * one.snapshot_mib, one.retain_mib + one.snapshot_mib) + 2 * one.segment_mib
    return round(log_mib + 2 * snapshot_mib + meanwhile_mib + _AHEAD_MIB, 1)


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take on the disk; one that goes meanwhile counts nothing."""
    total = 0
    for path in folder.iterdir():
        try:
            total += os.stat(path).st_blocks * 512
        except FileNotFoundError:
            continue
    return total


@cache
def command_bytes() -> int:
    """What one message takes in the log, as the client's own encoding says."""
    service: ServiceProxy = client_module(Messages).BlockingMessages.service
    column = (np.zeros(1, np.uint64), np.zeros(1, f"V{PAYLOAD_BYTES}"))
    return len(service["publish"].many(column).records)


def _goes_on(one: Disk, stream: Stream, folders: dict[int, Path], looks: list[Look], say: Say) -> bool:
    now_s = time.perf_counter()
    log_bytes = len(stream.answered) * one.rows * command_bytes()
    if not looks or now_s >= looks[-1].at_s + _LOOK_S:
        looks += [Look(now_s, replica, log_bytes, folder_bytes(folder)) for replica, folder in folders.items()]
        before_bytes = looks[-2 * len(folders)].log_bytes if len(looks) > len(folders) else 0
        if log_bytes >> 30 > before_bytes >> 30:
            say(f"{log_bytes / (1 << 30):.0f} GiB of log written")
    return log_bytes < one.log_mib * _MIB


def _sends(client: Any, one: Disk) -> Iterator[Send]:
    """Columns of messages, without end, drawn before."""
    random = np.random.default_rng(4)
    senders = random.integers(0, one.senders, (64, one.rows), dtype=np.uint64)
    payloads = random.integers(0, 256, (one.rows + len(senders), PAYLOAD_BYTES), dtype=np.uint8)
    bytes_ = payloads.view(f"V{PAYLOAD_BYTES}").reshape(-1)
    number = 0
    while True:
        place = number % len(senders)
        yield partial(client.publish.submit, senders[place], bytes_[place : place + one.rows])
        number += 1


def _row(one: Disk, stream: Stream, looks: list[Look], began_s: float) -> dict[str, Any]:
    ended_s = stream.answered[-1][0]
    written_bytes = len(stream.answered) * one.rows * command_bytes()
    rates = [rate for _, rate in _rates(stream, began_s, ended_s)]
    quarter = max(1, len(rates) // 4)
    replicas = sorted({look.replica for look in looks})
    return {
        **asdict(one),
        "log_mib_written": round(written_bytes / _MIB, 1),
        "seconds": round(ended_s - began_s, 2),
        "log_mib_per_s": round(written_bytes / _MIB / (ended_s - began_s), 1),
        "greatest_mib": {
            number: round(max(look.size_bytes for look in looks if look.replica == number) / _MIB, 1)
            for number in replicas
        },
        "first_quarter_mib_per_s": round(sum(rates[:quarter]) / quarter, 1),
        "last_quarter_mib_per_s": round(sum(rates[-quarter:]) / quarter, 1),
        "rates": _rates(stream, began_s, ended_s),
        "sizes": {number: _sizes([look for look in looks if look.replica == number]) for number in replicas},
    }


def _rates(stream: Stream, began_s: float, ended_s: float) -> list[tuple[float, float]]:
    """(MiB of log written, MiB/s just then), in steps of equal time."""
    step_s = (ended_s - began_s) / _SLICES
    found: list[tuple[float, float]] = []
    written_mib = 0.0
    for place in range(_SLICES):
        rate = stream.rate(began_s + place * step_s, began_s + (place + 1) * step_s) * command_bytes() / _MIB
        written_mib += rate * step_s
        found.append((round(written_mib, 1), round(rate, 1)))
    return found


def _sizes(looks: list[Look]) -> list[tuple[float, float]]:
    """(MiB of log written, MiB of the folder), thinned out so that the greatest of neighbours stays."""
    each = max(1, len(looks) // 200)
    groups = [looks[start : start + each] for start in range(0, len(looks), each)]
    return [
        (round(group[-1].log_bytes / _MIB, 1), round(max(look.size_bytes for look in group) / _MIB, 1))
        for group in groups
    ]
