"""What tests on real replica processes share: waiting for events, looking at processes, replicas of any configuration."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from psmr.cluster import ReplicaProcess, ReplicaStatus, ask, stop_all
from psmr.config import ClusterConfig, local_cluster

PATIENCE_S = 60.0
START_PATIENCE_S = 240.0
"""For a start: whoever comes first compiles the service, with the others waiting for it."""
PATIENT = {"timeout_s": PATIENCE_S, "connect_timeout_s": PATIENCE_S}
"""A client's options, for a machine that has other things to do."""
_LOOK_S = 0.02


def wait_until(reached: Callable[[], bool], what: Callable[[], object] | str, patience_s: float = PATIENCE_S) -> None:
    """Look again and again until `reached`; the bound only guards against hanging."""
    give_up_s = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < give_up_s, f"expected {what() if callable(what) else what}"
        time.sleep(_LOOK_S)


def answers(config: ClusterConfig) -> list[ReplicaStatus]:
    """What the replicas say of themselves, asked until all of them answer."""
    statuses: list[ReplicaStatus] = []

    def answered() -> bool:
        statuses[:] = ask({replica.id: replica.clients for replica in config.replicas})
        return all(status.reachable for status in statuses)

    wait_until(answered, lambda: f"every replica to answer, found {[status.plain() for status in statuses]}")
    return statuses


def settle(config: ClusterConfig, but: tuple[int, ...] = ()) -> list[ReplicaStatus]:
    """Wait until every replica (but those that are down) has executed the whole log; they agree on what came of it."""
    addresses = {replica.id: replica.clients for replica in config.replicas if replica.id not in but}
    statuses: list[ReplicaStatus] = []

    def settled() -> bool:
        statuses[:] = ask(addresses, digest=True)
        ends = {status.get(key) for status in statuses for key in ("delivered", "last_index")}
        leaders = {status.get("leader") for status in statuses}
        return all(status.reachable for status in statuses) and len(ends) == len(leaders) == 1 and leaders != {None}

    wait_until(settled, lambda: f"every replica at one place, found {[status.plain() for status in statuses]}")
    # Commands are counted from where a replica began, which with a snapshot is not the beginning.
    counted = () if any(status.get("first_index") > 1 for status in statuses) else ("commands",)
    assert not any(status.get("diverged") for status in statuses), f"replicas diverged: {statuses}"
    for key in ("digest", "sessions_digest", "rolling_digest", *counted):
        assert len({status.get(key) for status in statuses}) == 1, f"replicas differ in {key}: {statuses}"
    return statuses


@contextlib.contextmanager
def replicas(config: ClusterConfig, interpreted: tuple[int, ...] = ()) -> Iterator[dict[int, ReplicaProcess]]:
    """The replicas of a configuration as processes, some of them with an interpreter of their own accord."""
    processes: dict[int, ReplicaProcess] = {}
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: stop_all(list(processes.values()), 5.0))
        config.data.mkdir(parents=True, exist_ok=True)
        for member in (replica.id for replica in config.replicas):
            mine = replace(config, execution="interpreted") if member in interpreted else config
            file = config.data / f"cluster-{member}.toml"
            file.write_text(mine.to_toml())
            processes[member] = ReplicaProcess(file, member, config.data / f"replica-{member}.log")
            processes[member].start()
        wait_until(lambda: _all_answer(config, processes), "every replica to answer", START_PATIENCE_S)
        settle(config)
        yield processes


def _all_answer(config: ClusterConfig, processes: Mapping[int, ReplicaProcess]) -> bool:
    ended = [process.obituary() for process in processes.values() if not process.running]
    assert not ended, f"expected replicas to start, found: {ended}"
    return all(status.reachable for status in ask({replica.id: replica.clients for replica in config.replicas}))


def uneven_cluster(service: str, folder: Path, workers: Sequence[int]) -> ClusterConfig:
    """A replica for each number of workers."""
    config = local_cluster(
        "uneven", service, folder, token=os.urandom(4).hex(), replicas=len(workers), durability="memory"
    )
    pairs = zip(config.replicas, workers, strict=True)
    return replace(config, replicas=tuple(replace(replica, workers=count) for replica, count in pairs))


def tcp_cluster(service: str, folder: Path) -> ClusterConfig:
    """Three replicas that listen on TCP."""
    config = local_cluster("tcp", service, folder, token="0", durability="memory")
    places = iter(free_places(2 * len(config.replicas)))
    members = (
        replace(replica, peers=f"tcp://{next(places)}", clients=f"tcp://{next(places)}") for replica in config.replicas
    )
    return replace(config, replicas=tuple(members))


def free_places(count: int) -> list[str]:
    """`host:port` to listen at, which nobody else takes before they are used.

    The whole of 127.0.0.0/8 is this machine, and the host stands for this process: no other test listens at it, and no
    connection leaves from it.
    """
    process = os.getpid()
    host = f"127.{64 + (process >> 16)}.{process >> 8 & 255}.{process & 255}"
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server((host, 0))) for _ in range(count)]
        return [f"{host}:{server.getsockname()[1]}" for server in servers]


def family(process: int) -> dict[int, str]:
    """A process and its descendants, each with its name."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            child = int(stat.parent.name)
            names[child] = name
            children.setdefault(int(rest.split()[1]), []).append(child)
    found: dict[int, str] = {}
    waiting = [process]
    while waiting:
        member = waiting.pop()
        found[member] = names.get(member, "")
        waiting += children.get(member, [])
    return found


def processes_with(entry: str) -> dict[int, str]:
    """The processes that inherited an entry of the environment, `NAME=value`, each with its command line."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def worker_of(process: int | None, number: int) -> int:
    """The process id of a replica's worker."""
    assert process is not None
    found = [child for child, name in family(process).items() if name == f"psmr-worker-{number}"]
    assert len(found) == 1, f"expected one worker {number} of process {process}, found {found}"
    return found[0]


@contextlib.contextmanager
def ending(processes: Mapping[int, str]) -> Iterator[None]:
    """Every one of the processes ends in the block, or soon after it; one that has ended already has ended, too."""
    with contextlib.ExitStack() as stack:
        handles: dict[int, str] = {}
        for process, name in processes.items():
            with contextlib.suppress(ProcessLookupError):
                handles[handle := os.pidfd_open(process)] = name
                stack.callback(os.close, handle)
        yield
        for handle, name in handles.items():
            assert select.select([handle], [], [], PATIENCE_S)[0], f"{name} is still there"


def is_stopped(process: int | None) -> bool:
    """Whether a process has come to a halt (SIGSTOP), which is a moment after it was told to."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def cpu_s(processes: Iterable[int]) -> float:
    """The processor time that the processes have used so far."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def stay_for(seconds: float, process: int | None) -> None:
    """Let time pass while a process runs; it must not end meanwhile."""
    assert process is not None
    with open(os.pidfd_open(process), "rb", buffering=0) as handle:
        assert not select.select([handle], [], [], seconds)[0], f"process {process} has ended"
