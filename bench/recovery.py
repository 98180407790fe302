"""How fast does a replica come back, and what does it cost at rest?

*Replay*: a log is written by a real replica (columns of 1,024 integer puts and gets in turn, durable), and replayed from its
folder by the path of a restarting one, with one worker and with two: commands a second from opening the log to the last command
executed. State and sessions must come out as the replica left them. As the machine may be busy, `with a core each` says what
the processes would do if none waited for a core: commands by the processor time of the busiest.

*Restart*: the same replica is started again on that log; how long until it serves, has executed its log, answers a read.

*At rest*: three replicas of two workers that nobody calls. Processor time, wake-ups and memory: `bench/_recovery_idle.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from apps.kv import IntegerKV
from bench import _recovery_idle, _recovery_replay, _recovery_restart
from bench._machine import machine
from bench._measurement import Spread
from bench._recovery_log import write_log
from psmr.cluster.local import LocalCluster

QUESTION = "how fast does a replica come back, and what does it cost at rest?"
WORKERS = (1, 2)
REPLAY_PER_S_MIN = 15_000_000
IDLE_SHARE_MAX = 0.02
IDLE_MEMORY_BYTES_MAX = 150_000_000
_MIB = 1 << 20


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a log, replay it, restart a replica on it; then leave a cluster alone and look at it."""
    # As any server in Python does: a full collection looks through every import and stops the client for 100 ms.
    gc.collect()
    gc.freeze()
    commands, runs, restarts, idle_s = (200_000, 1, 1, 0.5) if quick else (10_000_000, 5, 3, 10.0)
    with LocalCluster(IntegerKV, name="recovery", replicas=1) as cluster:
        log = write_log(cluster, commands, say)
        replay = _recovery_replay.measure(_recovery_replay.Request(log, WORKERS, runs), say)
        restart = _recovery_restart.measure(cluster, log, restarts, say)
    idle, memory = _recovery_idle.measure(idle_s, say)
    result = {
        "bench": "recovery",
        "question": QUESTION,
        "machine": machine(),
        "log": {**asdict(log), "folder": None},
        "replay": replay,
        "restart": restart,
        "idle": idle,
        "memory": memory,
    }
    return {**result, "targets": targets(result)}


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was to be reached, and what was found: `found` and `bound` in the unit of `what`."""
    rate = max(row["commands_per_s"] for row in result["replay"])
    share = result["idle"]["cpu_share"]
    size_bytes = round(result["memory"]["beyond_state_mib_max"] * _MIB)
    return [
        _target("replay, commands/s", ">=", REPLAY_PER_S_MIN, rate, rate >= REPLAY_PER_S_MIN),
        _target("at rest, cores", "<", IDLE_SHARE_MAX, share, share < IDLE_SHARE_MAX),
        _target("at rest, bytes a process", "<", IDLE_MEMORY_BYTES_MAX, size_bytes, size_bytes < IDLE_MEMORY_BYTES_MAX),
    ]


def _target(what: str, relation: str, bound: float, found: float, is_met: bool) -> dict[str, Any]:
    return {"what": what, "relation": relation, "bound": bound, "found": found, "is_met": is_met}


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Replays and the restart, for people: the first row is the heading."""
    heading = (
        "of a log from disk",
        "commands/s, median (least … most)",
        "with a core each",
        "ns a command",
        "until open",
        "answers",
    )
    rows: list[tuple[str, ...]] = [heading]
    for row in result["replay"]:
        used = ", ".join(f"{name} {ns:.0f}" for name, ns in row["cpu_ns_per_command"].items())
        rows.append(
            (
                row["series"],
                Spread(tuple(row["runs_per_s"])).text(""),
                f"{row['cores_free_per_s']:,}",
                used,
                f"{row['opening_s'] * 1000:,.0f} ms",
                _verdict(row),
            )
        )
    restart = result["restart"]
    rate = f"{restart['commands_per_s']:,} to a read's answer after {restart['answer_s']:.2f} s"
    rows.append(("restart of a replica", rate, "–", "–", f"{restart['serving_s'] * 1000:,.0f} ms", _verdict(restart)))
    return rows


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """What was to be reached; threads and processes at rest."""
    reached: list[tuple[str, ...]] = [("what", "to reach", "found", "")]
    for one in result["targets"]:
        verdict = "reached" if one["is_met"] else "missed"
        reached.append((one["what"], f"{one['relation']} {one['bound']:,}", f"{one['found']:,}", verdict))
    threads: list[tuple[str, ...]] = [("thread", "share of a core", "threads", "woken, a second")]
    for role, used in result["idle"]["roles"].items():
        threads.append((role, f"{used['cpu_share']:.3%}", str(used["threads"]), f"{used['wakes_per_s']:,.1f}"))
    threads.append(("all", f"{result['idle']['cpu_share']:.3%}", "", ""))
    processes: list[tuple[str, ...]] = [("process", "PSS", "of it state", "beyond state", "USS", "RSS")]
    for one in result["memory"]["processes"]:
        sizes = (one[name] for name in ("pss_mib", "state_mib", "beyond_state_mib", "uss_mib", "rss_mib"))
        processes.append((one["role"], *(f"{size:.1f}" for size in sizes)))
    sums = (f"{result['memory']['pss_mib_sum']:.1f}", "", f"{result['memory']['beyond_state_mib_sum']:.1f}")
    processes.append(("all", *sums, "", ""))
    return {
        "What was to be reached": reached,
        f"At rest for {result['idle']['seconds']:.1f} s: threads": threads,
        "At rest: memory in MiB": processes,
    }


def _verdict(row: dict[str, Any]) -> str:
    return "right" if row["answers_right"] else "WRONG"


def passed(result: dict[str, Any]) -> bool:
    """Whether every replay and restart came to the state that the log's replica had."""
    return all(row["answers_right"] for row in (*result["replay"], result["restart"]))
