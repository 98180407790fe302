"""All replicas killed and started again: how long until a read is answered, and where that time goes.

The parts are measured on one replica's folder, in a process of its own and with nothing else running, by the calls that
`psmr.replica.serve` makes in that order. The whole is that of three replicas on the same cores.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from apps.kv import IntegerKV
from bench._cpu import processor_s
from bench._digests import digests
from bench._snapshots_stream import connect, fill
from cdep import service_of
from psmr.cluster.local import LocalCluster
from psmr.config import Tuning
from psmr.demo.apart import run_apart
from psmr.errors import Violation
from psmr.execution.engine import Engine
from psmr.replica.disk import Disk
from psmr.replica.serve import cluster_id
from psmr.storage import LogStore

_TIMES = ("loaded_s", "ready_s", "answer_s", "processor_s")
_LOOK_S = 0.005
_SNAPSHOT_PATIENCE_S = 120.0
_MIB = 1 << 20
_IMPORTS = "import psmr.__main__, psmr.replica.serve, apps.kv"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restart:
    """One size of state to restart with; 24 bytes of log a key must be twice `snapshot_mib` at least, or there is no snapshot."""

    keys: int
    snapshot_mib: int = 64
    runs: int = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """Seconds of each step of a start."""

    imports_s: float
    engine_s: float
    """Loading compiled code, making the shared memory."""
    snapshot_s: float
    """Finding the newest snapshot, and verifying each block of it."""
    restore_s: float
    """Filling the containers, making maps' indexes anew."""
    workers_s: float
    log_s: float
    """Opening the log: reading through what follows the snapshot."""


@dataclass(frozen=True, slots=True)
class _Request:
    folder: Path
    cluster_id: int


def measure(one: Restart, say: Say) -> dict[str, Any]:
    """`runs` restarts of all, then the parts of one; medians."""
    tuning = Tuning(snapshot_mib=one.snapshot_mib, segment_mib=min(16, one.snapshot_mib))
    with LocalCluster(IntegerKV, name="restart", workers=1, tuning=tuning) as cluster:
        say(f"{one.keys:,} keys: starting 3 replicas, to be killed")
        cluster.wait_ready()
        with connect(cluster.addresses, 8) as client:
            fill(client, one.keys)
        _wait_for_snapshots(cluster)
        before = _states(cluster)
        runs = [_restart(cluster, one.keys) for _ in range(one.runs)]
        right = before == _states(cluster) and len(before) == 1 and all(run["right"] for run in runs)
        statuses = cluster.statuses()
        for number in cluster.ids:
            cluster.stop(number)
        request = _Request(cluster.config.folder(cluster.ids[0]), cluster_id(cluster.config))
        parts = [run_apart(parts_of, request) for _ in range(one.runs)]
        snapshot_bytes = max(path.stat().st_size for path in request.folder.glob("snapshot-*.snap"))
    row = {
        **asdict(one),
        **{name: round(median(run[name] for run in runs), 3) for name in _TIMES},
        "answer_s_runs": [round(run["answer_s"], 3) for run in runs],
        "parts_s": {name: round(median(asdict(part)[name] for part in parts), 3) for name in asdict(parts[0])},
        "snapshot_mib_each": round(snapshot_bytes / _MIB, 1),
        "commands_from_log": max(status.get("commands") for status in statuses),
        "right": right,
    }
    say(f"{one.keys:,} keys: a read is answered {row['answer_s']:.2f} s after all were started")
    return row


def _wait_for_snapshots(cluster: LocalCluster) -> None:
    """Until each replica has one: the last may still be on its way to the disk when the last answer is there."""
    give_up_s = time.monotonic() + _SNAPSHOT_PATIENCE_S
    while not all(status.get("snapshots") for status in cluster.statuses()):
        cluster.check()
        if time.monotonic() > give_up_s:
            raise Violation(
                f"expected a snapshot on each replica within {_SNAPSHOT_PATIENCE_S:g} s, found {cluster.statuses()}"
            )
        time.sleep(_LOOK_S)


def _states(cluster: LocalCluster) -> set[str]:
    """The replicas' states, without their sessions: whoever looks opens one."""
    return {digest.split("-")[0] for digest in digests(cluster)}


def _restart(cluster: LocalCluster, keys: int) -> dict[str, Any]:
    """Seconds from the start of the processes until one answers, all agree on a leader, a read is answered.

    `processor_s`: what one replica, workers included, has used by then.
    """
    for number in cluster.ids:
        cluster.kill(number)
    began_s = time.perf_counter()
    for number in cluster.ids:
        cluster.start(number)
    while not any(status.reachable for status in cluster.statuses()):
        cluster.check()
        time.sleep(_LOOK_S)
    loaded_s = time.perf_counter() - began_s
    # A client that is not answered asks again, ever more rarely: whoever asks at once waits for that too.
    cluster.wait_ready()
    ready_s = time.perf_counter() - began_s
    with connect(cluster.addresses, 1) as client:
        value = client.get(keys - 1)
    answer_s = time.perf_counter() - began_s
    used_s = median(processor_s(cluster.process(number).pid or 0) for number in cluster.ids)
    return {
        "processor_s": used_s,
        "loaded_s": loaded_s,
        "ready_s": ready_s,
        "answer_s": answer_s,
        "right": value == 3 * (keys - 1),
    }


def parts_of(request: _Request) -> Parts:
    """What `psmr.replica.serve` does, step by step; for a process of its own, for it forks the workers."""
    imports_s = _seconds(lambda: subprocess.run([sys.executable, "-c", _IMPORTS], check=True))
    times: list[float] = [time.perf_counter()]

    def step() -> None:
        times.append(time.perf_counter())

    engine = Engine(IntegerKV, 1)
    step()
    try:
        disk = Disk.opened(request.folder, request.cluster_id, service_of(IntegerKV).fingerprint)
        step()
        if disk.found is None:
            raise Violation(f"{request.folder}: expected a snapshot, found none")
        base = disk.restore(engine).base
        step()
        engine.start()
        step()
        LogStore(request.folder, True, cluster_id=request.cluster_id, base=(base.index, base.term)).close()
        step()
        disk.taker.close()
    finally:
        engine.close()
    return Parts(imports_s, *(late - early for early, late in pairwise(times)))


def _seconds(act: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s
