"""A replica that was away while the log it lacks was compacted: it fetches a snapshot while the others serve a client.

    away ──start──► loaded: it answers ──► offered ──► fetched ──► on the disk ──starts again──► answers ──► level with the leader

One follower is stopped, and so much log is written at once that the leader forgets what the follower would need. Then a client
writes all the time: before, meanwhile, and after. From the first part on that it sends, the leader
keeps what follows that snapshot, up to `retain_mib`. That must be more than what is written until the replica has fetched and
started again: with less it would find the log gone once more, and fetch for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from apps.kv import IntegerKV
from bench._digests import digests
from bench._snapshots_stream import Background, Stream, connect, fill
from psmr.cluster.local import LocalCluster
from psmr.cluster.status import ReplicaStatus, ask
from psmr.config import Tuning
from psmr.errors import ClusterUnavailable

_LOOK_S = 0.01
_PATIENCE_S = 180.0
_MIB = 1 << 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CatchUp:
    """One size of state to measure with; the load is a closed loop of columns of puts."""

    keys: int
    snapshot_mib: int = 64
    retain_mib: int = 512
    rows: int = 1024
    window: int = 4
    calm_s: float = 5.0


@dataclass(slots=True)
class Steps:
    """Times (`time.perf_counter`) of what was seen of the replica, 0 while it was not; and what it fetched."""

    started_s: float = 0.0
    loaded_s: float = 0.0
    offered_s: float = 0.0
    fetched_s: float = 0.0
    again_s: float = 0.0
    level_s: float = 0.0
    index: int = 0
    size_bytes: int = 0
    behind_entries: int = 0
    """How much of the log was left to do when it answered again."""


def measure(one: CatchUp, say: Say) -> dict[str, Any]:
    """A follower's way back, and what the client noticed."""
    tuning = Tuning(snapshot_mib=one.snapshot_mib, segment_mib=min(16, one.snapshot_mib), retain_mib=one.retain_mib)
    with LocalCluster(IntegerKV, name="catch-up", workers=1, tuning=tuning) as cluster:
        say(f"{one.keys:,} keys: starting 3 replicas, one of which will be away")
        leader = cluster.wait_ready()
        away = next(number for number in cluster.ids if number != leader)
        with connect(cluster.addresses, 8) as client:
            fill(client, one.keys)
        digests(cluster)
        lacks = cluster.status(away).get("last_index") + 1
        cluster.stop(away)
        with connect(cluster.addresses, 8) as client:
            while cluster.status(leader).get("first_index") <= lacks:
                fill(client, one.keys)
        with (
            connect([cluster.addresses[cluster.ids.index(leader)]], one.window) as client,
            Background(client, one.keys, one.rows, one.window) as writing,
        ):
            time.sleep(one.calm_s)
            steps = _come_back(cluster, leader, away, lacks)
            time.sleep(one.calm_s)
        equal = len(set(digests(cluster))) == 1
        is_by_snapshot = "starts again from it" in cluster.process(away).log.read_text()
    row = {**asdict(one), **_row(one, steps, writing.stream), "right": equal and is_by_snapshot}
    say(
        f"{one.keys:,} keys: {row['snapshot_mib_fetched']:.0f} MiB at {row['fetched_mib_per_s']:.0f} MiB/s, "
        f"level after {row['level_s']:.2f} s"
    )
    return row


def _come_back(cluster: LocalCluster, leader: int, away: int, lacks: int) -> Steps:
    """Start the replica, and watch it until it has executed all that the leader had committed a moment before."""
    steps = Steps(started_s=time.perf_counter())
    cluster.start(away)

    def is_level() -> bool:
        statuses = {each.id: each for each in _ask(cluster, leader, away)}
        now_s = time.perf_counter()
        if statuses[away].reachable and statuses[leader].reachable:
            _note(steps, statuses[away], statuses[leader], lacks, now_s)
        return steps.level_s > 0

    _wait(is_level, f"replica {away} to be level with its leader")
    return steps


def _ask(cluster: LocalCluster, leader: int, away: int) -> list[ReplicaStatus]:
    """The leader first, so that the other's later word is compared with its earlier one."""
    return [status for number in (leader, away) for status in ask({number: cluster.config.replica(number).clients})]


def _note(steps: Steps, status: ReplicaStatus, leader: ReplicaStatus, lacks: int, now_s: float) -> None:
    steps.loaded_s = steps.loaded_s or now_s
    fetching = status.get("fetching")
    if fetching:
        steps.offered_s = steps.offered_s or now_s
        index, held_bytes, size_bytes = fetching
        if index != steps.index:
            steps.index, steps.size_bytes, steps.fetched_s = index, size_bytes, 0.0
        if held_bytes == size_bytes:
            steps.fetched_s = steps.fetched_s or now_s
    elif status.get("snapshot_index") >= lacks:  # it began with another one than its own
        if not steps.again_s:
            steps.again_s = now_s
            steps.index = steps.index or status.get("snapshot_index")
            steps.behind_entries = max(0, leader.get("committed") - status.get("delivered"))
        if status.get("delivered") >= leader.get("committed"):
            steps.level_s = now_s


def _row(one: CatchUp, steps: Steps, stream: Stream) -> dict[str, Any]:
    """Seconds from the start of the process; rates of the client in commands a second.

    A small snapshot may be fetched and installed between two looks: what was not seen is 0.
    """
    ended_s = stream.answered[-1][0]
    fetching_s = steps.fetched_s - steps.offered_s
    was_seen = steps.offered_s > 0 and fetching_s > 0
    since = {
        name: round(at - steps.started_s, 3) if (at := getattr(steps, name)) else 0.0
        for name in ("loaded_s", "offered_s", "fetched_s", "again_s", "level_s")
    }
    return {
        **since,
        "snapshot_mib_fetched": round(steps.size_bytes / _MIB, 1),
        "fetched_mib_per_s": round(steps.size_bytes / _MIB / fetching_s, 1) if was_seen else 0.0,
        "behind_entries": steps.behind_entries,
        "commands_per_s": {
            "before": round(stream.rate(steps.started_s - one.calm_s, steps.started_s)),
            "meanwhile": round(stream.rate(steps.started_s, steps.level_s)),
            "after": round(stream.rate(steps.level_s, ended_s)),
        },
        "longest_gap_ms": {
            "before": round(stream.longest_gap_s(steps.started_s - one.calm_s, steps.started_s) * 1000, 1),
            "meanwhile": round(stream.longest_gap_s(steps.started_s, steps.level_s) * 1000, 1),
            "after": round(stream.longest_gap_s(steps.level_s, ended_s) * 1000, 1),
        },
        "curve": _curve(stream, steps.started_s - one.calm_s, ended_s, steps.started_s),
    }


def _curve(stream: Stream, began_s: float, ended_s: float, zero_s: float) -> list[tuple[float, int]]:
    """(seconds since the start of the replica, commands a second) in steps of a quarter of a second."""
    step_s = 0.25
    places = [began_s + step_s * number for number in range(int((ended_s - began_s) / step_s))]
    return [(round(place + step_s - zero_s, 2), round(stream.rate(place, place + step_s))) for place in places]


def _wait(reached: Callable[[], bool], what: str) -> None:
    give_up_s = time.monotonic() + _PATIENCE_S
    while not reached():
        if time.monotonic() > give_up_s:
            raise ClusterUnavailable(f"bench: expected {what} within {_PATIENCE_S:g} s, found that it did not")
        time.sleep(_LOOK_S)
