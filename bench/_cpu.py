"""Where the processor's time goes: nanoseconds a command, by role, of the client and of every replica.

The kernel counts the time of each thread to the nanosecond; it is read before and after what is measured, so measuring costs
nothing in between. Threads that are not ours to name are told apart by what the kernel calls them:

| role | thread |
|---|---|
| client loop, leader loop, … | a process's first thread: the generated client, the replica's loop |
| … network | ZeroMQ's own threads, which name themselves, of whoever asks for a status |
| … log writer | a replica's other Python threads: its log's writer, none in memory, and its events' while they stream |
| … workers | the replica's child processes, which execute |

What the kernel does for all of them alike in threads of its own (flushing disks) belongs to nobody and shows in
`cores_elsewhere`, as do other programs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psmr.cluster.local import LocalCluster

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NETWORK = "ZMQbg/"
_PROCESSES = Path("/proc")
_USER_TICKS, _SYSTEM_TICKS = 11, 12
"""Places in `stat` behind the thread's name."""
_IDLE = (3, 4)
"""Places of idle time, and of idle time with a disk at work, in the first line of /proc/stat."""


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """What a thread has used since it began."""

    running_ns: int = 0
    waiting_ns: int = 0
    """Ready to run, with every core taken."""
    user_ticks: int = 0
    system_ticks: int = 0

    def since(self, earlier: ThreadTime) -> ThreadTime:
        """What it used in between."""
        return ThreadTime(
            self.running_ns - earlier.running_ns,
            self.waiting_ns - earlier.waiting_ns,
            self.user_ticks - earlier.user_ticks,
            self.system_ticks - earlier.system_ticks,
        )

    def plus(self, other: ThreadTime) -> ThreadTime:
        """Both together."""
        return ThreadTime(
            self.running_ns + other.running_ns,
            self.waiting_ns + other.waiting_ns,
            self.user_ticks + other.user_ticks,
            self.system_ticks + other.system_ticks,
        )

    @property
    def system_share(self) -> float:
        """The share spent in the kernel, to some 10 ms."""
        return self.system_ticks / max(1, self.user_ticks + self.system_ticks)


@dataclass(frozen=True, slots=True)
class CpuSample:
    """Every thread's time at one moment, by (role, thread id)."""

    threads: Mapping[tuple[str, int], ThreadTime]
    at_s: float
    busy_ticks: int
    """Of all cores, whoever used them."""

    def since(self, earlier: CpuSample) -> dict[str, ThreadTime]:
        """What each role that ran at all used in between; a thread that is new began in between."""
        found: dict[str, ThreadTime] = {}
        for (role, thread), now in self.threads.items():
            used = now.since(earlier.threads.get((role, thread), ThreadTime()))
            if used.running_ns > 0:
                found[role] = found.get(role, ThreadTime()).plus(used)
        return found


class CpuMeter:
    """Reads the threads of this process, the client, and of a cluster's replicas with `leader` (an id) leading."""

    def __init__(self, cluster: LocalCluster, leader: int) -> None:
        self._owners = {"client": os.getpid()}
        followers = 0
        for replica in sorted(cluster.ids, key=lambda number: (number != leader, number)):
            name = "leader" if replica == leader else f"follower {(followers := followers + 1)}"
            self._owners[name] = cluster.process(replica).pid or 0

    def sample(self) -> CpuSample:
        """Every thread's time now; a process that has just ended has none."""
        threads: dict[tuple[str, int], ThreadTime] = {}
        for owner, process in self._owners.items():
            threads |= {(f"{owner} {part}", thread): used for part, thread, used in read_threads(process)}
            if process != os.getpid():
                for child in children(process):
                    threads |= {(f"{owner} workers", thread): used for _, thread, used in read_threads(child)}
        return CpuSample(threads, time.monotonic(), _busy_ticks())


def account(before: CpuSample, after: CpuSample, commands: int) -> dict[str, Any]:
    """What `commands` cost, as part of a row: nanoseconds of processor a command by role, and what goes with it.

    `cpu_wait_ns_per_command`: how long threads stood ready without a core. `cores_elsewhere`: how many cores were busy, on
    average, with anything but this.
    """
    used = after.since(before)
    elapsed_s = max(1e-9, after.at_s - before.at_s)
    ours_s = sum(time.running_ns for time in used.values()) / 1e9
    all_s = (after.busy_ticks - before.busy_ticks) / _TICKS_PER_S
    return {
        "cpu_ns_per_command": {role: round(time.running_ns / commands, 1) for role, time in used.items()},
        "cpu_wait_ns_per_command": {role: round(time.waiting_ns / commands, 1) for role, time in used.items()},
        "cpu_system_share": {role: round(time.system_share, 2) for role, time in used.items()},
        "cores_elsewhere": round(max(0.0, all_s - ours_s) / elapsed_s, 2),
    }


def cpu_table(columns: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A table for people of rows that `account` is part of, by their headings: roles down, rows across."""
    roles = list(dict.fromkeys(role for row in columns.values() for role in row["cpu_ns_per_command"]))
    table: list[tuple[str, ...]] = [("thread", *columns)]
    for role in roles:
        table.append((role, *(_cell(row["cpu_ns_per_command"].get(role)) for row in columns.values())))
    table.append(("all", *(_cell(sum(row["cpu_ns_per_command"].values())) for row in columns.values())))
    waits = (_cell(sum(row["cpu_wait_ns_per_command"].values())) for row in columns.values())
    table.append(("ready, without a core", *waits))
    table.append(("cores busy elsewhere", *(f"{row['cores_elsewhere']:.2f}" for row in columns.values())))
    return table


def _cell(nanoseconds: float | None) -> str:
    if nanoseconds is None:
        return "–"
    return f"{nanoseconds:,.1f}" if nanoseconds < 100 else f"{nanoseconds:,.0f}"


def read_threads(process: int) -> Iterator[tuple[str, int, ThreadTime]]:
    """Each thread of a process: (part that it plays, id, time used)."""
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks = _PROCESSES / str(process) / "task"
        for thread in sorted(int(folder.name) for folder in tasks.iterdir()):
            with suppress(FileNotFoundError, ProcessLookupError):
                folder = tasks / str(thread)
                name, _, fields = (folder / "stat").read_text().partition("(")[2].rpartition(")")
                yield _part(name, thread, process), thread, _time(folder, fields.split())


def _part(name: str, thread: int, process: int) -> str:
    if thread == process:
        return "loop"
    if name.startswith(_NETWORK):
        return "network"
    return "other threads" if process == os.getpid() else "log writer"


def _time(folder: Path, fields: list[str]) -> ThreadTime:
    running_ns, waiting_ns, _ = (int(text) for text in (folder / "schedstat").read_text().split())
    return ThreadTime(running_ns, waiting_ns, int(fields[_USER_TICKS]), int(fields[_SYSTEM_TICKS]))


def children(process: int) -> list[int]:
    """Processes that any thread of this one has started."""
    found: list[int] = []
    for file in (_PROCESSES / str(process) / "task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(text) for text in file.read_text().split()]
    return found


def processor_s(process: int) -> float:
    """What a process, threads that have ended included, and its children that are there have used since their start."""
    return sum(_process_ticks(one) for one in (process, *children(process))) / _TICKS_PER_S


def _process_ticks(process: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = (_PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()
        return int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
    return 0


def _busy_ticks() -> int:
    ticks = [int(text) for text in (_PROCESSES / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - sum(ticks[place] for place in _IDLE)
