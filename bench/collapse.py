"""Where does parallel execution become one thread, for which commands and keys, and is it predicted?

Every application, under workloads that differ in the number of keys and how calls spread over them: throughput of one thread, of
P-SMR as published, and of this engine; what its workers wait for, written down by themselves; and what `psmr cdep advise` says of
the same commands, from their costs and the annotations alone. Prepared batches, no network, no disk (`_collapse_measure`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bench._collapse_measure import ALLOWED, Effort, measure
from bench._collapse_page import page as page
from bench._collapse_scenes import scenes
from bench._machine import machine
from bench._plot import Plot

QUESTION = "where does parallel execution become one thread, and is it predicted?"


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Every scene with every number of workers."""
    cores = len(os.sched_getaffinity(0))
    workers = tuple(count for count in (2, 4, 8, 16) if count <= cores) or (2,)
    effort = Effort(workers[:1], 4_000, 2, 1, 2) if quick else Effort(workers)
    rows: list[dict[str, Any]] = []
    every = scenes(quick)
    for number, scene in enumerate(every, 1):
        say(f"{number} of {len(every)}: {scene.title} …")
        for row in measure(scene, effort):
            rows.append(row)
            say(_line(row))
    return {
        "bench": "collapse",
        "question": QUESTION,
        "machine": machine(),
        "load": list(os.getloadavg()),
        "rows": rows,
        "within": {
            "allowed": ALLOWED,
            "of": len(rows),
            **{name: sum(abs(row["difference"][name]) <= ALLOWED for row in rows) for name in ("smr", "psmr")},
        },
    }


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['app']}, {row['label']}, {row['workers']} workers: paper {row['paper_ratio']:.2f} ×, engine "
        f"{row['psmr_ratio']:.2f} × one thread; predicted {row['difference']['psmr']:+.0%}"
    )


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    rows: list[tuple[str, ...]] = [
        (
            "application",
            "workload",
            "workers",
            "one thread /s",
            "paper",
            "engine",
            "all in every batch",
            "waits",
            "most of it at",
        )
    ]
    for row in result["rows"]:
        rows.append(
            (
                row["app"],
                row["label"],
                str(row["workers"]),
                f"{row['smr_per_s']:,}",
                f"{row['paper_ratio']:.2f} ×",
                f"{row['psmr_ratio']:.2f} ×",
                f"{row['together_ratio']:.2f} ×",
                _waits(row["waiting"]),
                _most(row["waiting"]),
            )
        )
    return rows


def _waits(waiting: dict[str, Any]) -> str:
    """The share of its time that each worker waits: "14% 16%"."""
    pairs = zip(waiting["at_commands"], waiting["for_early_stages"], strict=True)
    return " ".join(f"{at_commands + stages:.0%}" for at_commands, stages in pairs)


def _most(waiting: dict[str, Any]) -> str:
    """ "size (0.2% of the commands): 98%; key user4405: 12%"."""
    parts = [
        f"{each['what']} ({each['of_commands']:.1%} of the commands): {each['share']:.0%}"
        for each in waiting["by_command"][:1]
    ]
    parts += [f"{each['what']}: {each['share']:.0%}" for each in waiting["by_key"][:1] if each["what"] != "everything"]
    return "; ".join(parts) or "nothing"


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The prediction beside what was measured, and what each scene comes to."""
    heading = (
        "application",
        "workload",
        "workers",
        "measured /s",
        "predicted /s",
        "difference",
        "rounds, least to most /s",
        f"within {ALLOWED:.0%}",
    )
    compared: list[tuple[str, ...]] = [heading]
    for row in result["rows"]:
        compared += [
            _compared(row, name, workers)
            for name, workers in (("smr", 1), ("psmr", row["workers"]), ("paper", row["workers"]))
        ]
    compared += [
        ("in all", "", who, "", "", "", "", f"{count} of {result['within']['of']}")
        for who, count in (("one", result["within"]["smr"]), ("this engine", result["within"]["psmr"]))
    ]
    verdicts: list[tuple[str, ...]] = [
        ("application", "workload", "what the prediction says"),
        *((r["app"], r["label"], r["advice"]["verdict"]) for r in result["rows"]),
    ]
    return {
        "predicted by `psmr cdep advise`, and measured": compared,
        "waiting of all workers in every batch, predicted and measured": _parts(result["rows"]),
        "which annotation, which key": verdicts,
    }


def _parts(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """What the predictions are made of, beside what was seen: where one is wrong, this says in which part."""
    parts: list[tuple[str, ...]] = [
        (
            "application",
            "workload",
            "waits predicted",
            "measured",
            "beside others",
            "stretch",
            "usually",
            "alone predicted",
        )
    ]
    for row in rows:
        said, costs, seen = row["advice"]["waiting"], row["advice"]["costs"], row["waiting"]
        curve = {each["workers"]: each for each in row["advice"]["predicted"]}
        parts.append(
            (
                row["app"],
                row["label"],
                " ".join(
                    f"{wait + left:.0%}"
                    for wait, left in zip(said["share_of_time"], said["unemployed_share"], strict=True)
                ),
                " ".join(
                    f"{sum(each):.0%}"
                    for each in zip(seen["at_commands"], seen["for_early_stages"], seen["nothing_left"], strict=True)
                ),
                f"{costs['slowdown'][-1][1]:.2f} ×",
                f"{costs['stretch']['least']:.2f} ×",
                f"{costs['stretch']['usual']:.2f} ×",
                f"{curve[row['workers']]['alone_share']:.0%}",
            )
        )
    return parts


def _compared(row: dict[str, Any], name: str, workers: int) -> tuple[str, ...]:
    difference = row["difference"][name]
    return (
        row["app"],
        row["label"],
        f"{workers}{', the paper’s way' if name == 'paper' else ''}",
        f"{row[f'{name}_per_s']:,}",
        f"{row['predicted_per_s'][name]:,}",
        f"{difference:+.1%}",
        f"{min(row['runs_per_s'][name]):,} to {max(row['runs_per_s'][name]):,}",
        "yes" if abs(difference) <= ALLOWED else "NO",
    )


def plots(result: dict[str, Any]) -> list[Plot]:
    """For each application: how many times one thread, by scene."""
    found: list[Plot] = []
    for app in dict.fromkeys(row["app"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["app"] == app]
        names = {"paper": "paper_ratio", "engine": "psmr_ratio", "all in every batch": "together_ratio"}
        curves = {name: [(float(place), row[key]) for place, row in enumerate(rows, 1)] for name, key in names.items()}
        curves["predicted"] = [
            (float(place), row["predicted_per_s"]["psmr"] / row["predicted_per_s"]["smr"])
            for place, row in enumerate(rows, 1)
        ]
        labels = ", ".join(f"{place}: {row['label']}, {row['workers']} workers" for place, row in enumerate(rows, 1))
        found.append(Plot(app, "workload", "× one thread", curves, note=labels))
    return found


def passed(result: dict[str, Any]) -> bool:
    """Replies and states were compared as each row was measured."""
    return bool(result["rows"])
