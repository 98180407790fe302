"""The prediction as a page of HTML that needs nothing else, for whoever has not read the paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from psmr.advice.chart import line_chart

STYLE = (
    "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1b2430}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{text-align:left;padding:3px 16px 3px 0;"
    "border-bottom:1px solid #d5dbe3;vertical-align:top}td.n{text-align:right}.verdict{font-size:1.1em;font-weight:600}"
    "small{color:#66717f}</style>"
)


def page(document: dict[str, Any]) -> str:
    """One page; the same document gives the same page."""
    title = f"{document['service']}: how far it can be executed in parallel"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>{STYLE}</head>\n'
        f'<body><h1>{escape(title)}</h1>\n<p class="verdict">{escape(document["verdict"])}</p>\n'
        f"<p>{document['commands']:,} commands from {escape(document['source'])}, in batches of {document['batch']}. "
        "Predicted from the annotations and from what commands and meetings cost on this machine.</p>\n"
        f"{section(document)}</body></html>\n"
    )


def section(document: dict[str, Any]) -> str:
    """The body of the page: the curve, then the tables."""
    predicted = document["predicted"]
    curves = {
        "this engine": [(row["workers"], row["speed_up"]) for row in predicted],
        "all workers in every batch": [(row["workers"], row["together_speed_up"]) for row in predicted],
        "a meeting for every command of several workers (the paper)": [
            (row["workers"], row["paper_speed_up"]) for row in predicted
        ],
    }
    tables = "\n".join(
        f"<h3>{escape(title)}</h3>\n{html_table(rows)}" for title, rows in tables_of(document).items() if len(rows) > 1
    )
    return f"{line_chart('workers', 'speed-up over one worker', curves, log_x=True)}\n{tables}\n"


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table, the first its heading; what reads as a number stands to the right."""
    heading, *others = rows
    head = "".join(f"<th>{escape(text)}</th>" for text in heading)
    body = "\n".join("<tr>" + "".join(_cell(text) for text in row) + "</tr>" for row in others)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _cell(text: str) -> str:
    return f"<td{' class=n' if text[:1].isdigit() else ''}>{escape(text)}</td>"


def tables_of(document: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Every table by its title, the first row its heading; for the page and for the terminal."""
    path, waiting = document["critical_path"], document["waiting"]
    return {
        "What commands cost here": _costs(document["costs"]),
        "Predicted throughput": _predicted(document["predicted"]),
        f"The critical path: the chain that no number of workers shortens ({path['length_s'] / (path['work_s'] or 1):.1%} of "
        "the work), by command": _shares(path["by_command"], "command", "of the path"),
        "The critical path, by the key that is waited for": _shares(path["by_key"], "key", "of the path"),
        f"Where {waiting['workers']} workers wait, all in every batch, by command": _shares(
            waiting["by_command"], "command", "of the waiting"
        ),
        f"Where {waiting['workers']} workers wait, by key": _shares(waiting["by_key"], "key", "of the waiting"),
        "The heaviest keys": _shares(document["load"], "key", "of the work"),
        "What another declaration would give, if it were true": _what_if(document["what_if"]),
    }


def _costs(costs: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("command", "touches", "of the commands", "costs", "of the work")]
    rows += [
        (
            row["command"],
            row["touches"],
            percent(row["share"]),
            f"{row['service_ns']:,.0f} ns",
            percent(row["work_share"]),
        )
        for row in costs["commands"]
    ]
    barrier = costs["barrier_ns"]
    rows.append(("a meeting of two workers", "", "", f"{barrier['meet_ns'] + barrier['resume_ns']:,.0f} ns", ""))
    rows.append(("… if one of them sleeps, more", "", "", f"{barrier['wake_ns']:,.0f} ns", ""))
    rows += [
        (f"a command while {workers} workers execute", "", "", f"{factor:.2f} times as much", "")
        for workers, factor in costs["slowdown"]
        if workers > 1
    ]
    stretch = costs["stretch"]["least"]
    rows.append(("several workers that meet so often, against the model", "", "", f"{stretch:.2f} times as long", ""))
    return rows


def _predicted(predicted: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("workers", "commands/s", "speed-up", "all in every batch", "paper", "executed by one worker alone")
    ]
    rows += [
        (
            str(row["workers"]),
            f"{row['per_s']:,.0f}",
            f"{row['speed_up']:.2f} ×",
            f"{row['together_speed_up']:.2f} ×",
            f"{row['paper_speed_up']:.2f} ×",
            percent(row["alone_share"]),
        )
        for row in predicted
    ]
    return rows


def _shares(shares: Sequence[dict[str, Any]], what: str, of_what: str) -> list[tuple[str, ...]]:
    return [
        (what, of_what, "of the commands", "of the work"),
        *((row["what"], percent(row["share"]), percent(row["of_commands"]), percent(row["of_work"])) for row in shares),
    ]


def _what_if(changes: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    workers = list(changes[0]["gain"]) if changes else []
    heading = ("declare", *(f"{count} workers" for count in workers), "greatest speed-up", "valid only if")
    return [
        heading,
        *(
            (
                row["change"],
                *(f"{gain:.2f} ×" for gain in row["gain"].values()),
                f"{row['speed_up_max']:.1f} ×",
                row["valid_if"],
            )
            for row in changes
        ),
    ]


def percent(share: float) -> str:
    """A share to be read."""
    return f"{share:.2%}" if 0 < share < 0.01 else f"{share:.0%}"
