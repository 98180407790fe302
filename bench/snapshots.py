"""What does a snapshot cost, and what does it give? On three replicas, their log on disk.

*Pause*: what clients notice of snapshots that are taken while they work (`bench/_snapshots_pause.py`). *Catch-up*: a replica
whose log is gone elsewhere comes back by a snapshot (`bench/_snapshots_catch_up.py`). *Restart*: all are killed and start from
their snapshots (`bench/_snapshots_restart.py`). *Disk*: the log grows, its folder must not (`bench/_snapshots_disk.py`, where
the bound is stated).

A figure counts only if the replicas' digests agree, and the states are those of before.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from bench import _snapshots_catch_up, _snapshots_disk, _snapshots_pause, _snapshots_restart
from bench._machine import machine
from bench._plot import Plot
from bench._snapshots_catch_up import CatchUp
from bench._snapshots_disk import Disk
from bench._snapshots_pause import Pause
from bench._snapshots_restart import Restart

QUESTION = "what does a snapshot cost, and what does it give?"
NOTICED_MS_MAX = 50
RESTART_S_MAX = 5.0


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Pauses, catch-up, restarts, the disk, one after another."""
    # As any server in Python does: a full collection looks through every import and stops the client for 100 ms.
    gc.collect()
    gc.freeze()
    result: dict[str, Any] = {
        "bench": "snapshots",
        "question": QUESTION,
        "machine": machine(),
        "pause": [_snapshots_pause.measure(one, say) for one in pauses(quick)],
        "catch_up": [_snapshots_catch_up.measure(one, say) for one in catch_ups(quick)],
        "restart": [_snapshots_restart.measure(one, say) for one in restarts(quick)],
        "disk": _snapshots_disk.measure(disk(quick), say),
    }
    return {**result, "targets": targets(result)}


def pauses(quick: bool) -> list[Pause]:
    """Sizes of state at which pauses are looked for."""
    if quick:
        return [Pause(100_000, snapshot_mib=1, seconds=1.0, warm_up_s=0.1, runs=1)]
    return [Pause(keys) for keys in (100_000, 1_000_000, 10_000_000)]


def catch_ups(quick: bool) -> list[CatchUp]:
    """Sizes of state that are fetched; the quick one with little load, for it keeps little log meanwhile."""
    if quick:
        return [CatchUp(100_000, snapshot_mib=1, retain_mib=8, rows=64, window=2, calm_s=0.5)]
    return [CatchUp(keys) for keys in (1_000_000, 10_000_000)]


def restarts(quick: bool) -> list[Restart]:
    """Sizes of state to restart with."""
    return (
        [Restart(100_000, snapshot_mib=1, runs=1)]
        if quick
        else [Restart(1_000_000, snapshot_mib=8), Restart(10_000_000)]
    )


def disk(quick: bool) -> Disk:
    """How much log to write."""
    return Disk(64, snapshot_mib=8, segment_mib=2, retain_mib=8) if quick else Disk(10_240)


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was to be reached, at the largest state, and what was found: `found` and `bound` in the unit of `what`."""
    pause, restart, folder = result["pause"][-1], result["restart"][-1], result["disk"]
    gap_ms, greatest = pause["around"]["gap_ms_max"], max(folder["greatest_mib"].values())
    answer_s = restart["answer_s"]
    return [
        _target("longest gap around a snapshot, ms", NOTICED_MS_MAX, gap_ms, gap_ms < NOTICED_MS_MAX),
        _target("all killed, until a read is answered, s", RESTART_S_MAX, answer_s, answer_s < RESTART_S_MAX),
        _target("greatest folder, MiB", folder["bound_mib"], greatest, folder["is_bounded"]),
    ]


def _target(what: str, bound: float, found: float, is_met: bool) -> dict[str, Any]:
    return {"what": what, "bound": bound, "found": found, "is_met": is_met}


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """What clients notice: with snapshots and without, in turn. The first row is the heading."""
    rows: list[tuple[str, ...]] = [
        (
            "keys",
            "snapshots",
            "each, MiB",
            "each, s",
            "p50 ms",
            "p99 ms",
            "max ms",
            "longest gap around one, ms: median, max",
            "slowest answer, ms: median, max",
            "digests",
        )
    ]
    for row in result["pause"]:
        for name, gaps in (("with", row["around"]), ("without", row["elsewhere"])):
            latency = row[name]["median_of_runs_us"]
            is_with = name == "with"
            rows.append(
                (
                    f"{row['keys']:,}",
                    str(gaps["count"]) if is_with else "none",
                    f"{row['snapshot_bytes'] / (1 << 20):.1f}" if is_with else "–",
                    f"{gaps['seconds']:.2f}" if is_with else "–",
                    *(f"{latency[share] / 1000:.1f}" for share in ("p50", "p99", "max")),
                    f"{gaps['gap_ms_median']:.1f}, {gaps['gap_ms_max']:.1f}",
                    f"{gaps['slowest_ms_median']:.1f}, {gaps['slowest_ms_max']:.1f}",
                    "equal" if row["digests_equal"] else "DIFFER",
                )
            )
    return rows


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Catch-up, restart, the disk; what was to be reached."""
    reached: list[tuple[str, ...]] = [("what", "to stay below", "found", "")]
    for one in result["targets"]:
        verdict = "reached" if one["is_met"] else "missed"
        reached.append((one["what"], f"{one['bound']:,}", f"{one['found']:,}", verdict))
    return {
        "Catch-up: a replica comes back by a snapshot; seconds since its start, the client's commands/s": _catch_up_rows(
            result["catch_up"]
        ),
        "Restart: all killed and started; seconds, medians": _restart_rows(result["restart"]),
        "Disk: the folder while the log grows; MiB": _disk_rows(result["disk"]),
        "What was to be reached": reached,
    }


def _catch_up_rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    times = ("loaded_s", "offered_s", "fetched_s", "again_s", "level_s")
    heads = ("answers", "offered", "fetched", "started again", "level")
    rows: list[tuple[str, ...]] = [
        ("keys", "MiB", "MiB/s", *heads, "commands/s before", "meanwhile", "after", "longest gap, ms", "state")
    ]
    for row in found:
        rates, gaps = row["commands_per_s"], row["longest_gap_ms"]
        rows.append(
            (
                f"{row['keys']:,}",
                f"{row['snapshot_mib_fetched']:.0f}",
                f"{row['fetched_mib_per_s']:.0f}" if row["fetched_mib_per_s"] else "not seen",
                *(f"{row[name]:.2f}" for name in times),
                *(f"{rates[name]:,}" for name in ("before", "meanwhile", "after")),
                f"{gaps['before']:.0f}, {gaps['meanwhile']:.0f}, {gaps['after']:.0f}",
                "right" if row["right"] else "WRONG",
            )
        )
    return rows


def _restart_rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    parts = ("imports", "engine", "snapshot", "restore", "workers", "log")
    rows: list[tuple[str, ...]] = [
        (
            "keys",
            "MiB",
            "one answers",
            "a leader",
            "a read",
            "processor time of one",
            *(f"alone: {part}" for part in parts),
            "from the log",
            "state",
        )
    ]
    for row in found:
        rows.append(
            (
                f"{row['keys']:,}",
                f"{row['snapshot_mib_each']:.0f}",
                *(f"{row[name]:.2f}" for name in ("loaded_s", "ready_s", "answer_s", "processor_s")),
                *(f"{row['parts_s'][f'{part}_s']:.2f}" for part in parts),
                f"{row['commands_from_log']:,}",
                "right" if row["right"] else "WRONG",
            )
        )
    return rows


def _disk_rows(row: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("log written", "greatest folders", "bound", "snapshots", "MiB/s", "first quarter", "last quarter", "digests")
    ]
    rows.append(
        (
            f"{row['log_mib_written']:,.0f}",
            ", ".join(f"{size:,.0f}" for size in row["greatest_mib"].values()),
            f"{row['bound_mib']:,.0f}",
            ", ".join(str(count) for count in row["snapshots"].values()),
            f"{row['log_mib_per_s']:.0f}",
            f"{row['first_quarter_mib_per_s']:.0f}",
            f"{row['last_quarter_mib_per_s']:.0f}",
            "equal" if row["digests_equal"] else "DIFFER",
        )
    )
    return rows


def plots(result: dict[str, Any]) -> list[Plot]:
    """The folder's size and the rate over the log written; the client's rate while a replica comes back."""
    folder = result["disk"]
    written = "MiB of log written"
    sizes = {f"replica {number}": points for number, points in folder["sizes"].items()}
    ends = [(points[0][0], points[-1][0]) for points in sizes.values()]
    bound = [(place, folder["bound_mib"]) for place in (min(a for a, _ in ends), max(b for _, b in ends))]
    catch_up = result["catch_up"][-1]
    note = f"snapshots every {folder['snapshot_mib']} MiB, {folder['retain_mib']} retained for members that lag"
    back = f"{catch_up['keys']:,} keys; level after {catch_up['level_s']:.1f} s"
    return [
        Plot("A replica's folder", written, "MiB", {**sizes, "bound": bound}, note=note),
        Plot("Rate while the log grows", written, "MiB/s", {"rate": folder["rates"]}, note=note),
        Plot(
            "A client's rate while a replica comes back",
            "seconds since its start",
            "commands/s",
            {"client": catch_up["curve"]},
            note=back,
        ),
    ]


def passed(result: dict[str, Any]) -> bool:
    """Whether every replica had the same state as the others, and after a restart the one that it had before."""
    pauses_equal = all(row["digests_equal"] for row in result["pause"])
    back = all(row["right"] for row in (*result["catch_up"], *result["restart"]))
    return bool(pauses_equal and back and result["disk"]["digests_equal"])
