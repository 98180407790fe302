"""A chaos run as a picture: who was at fault when, and what clients had acknowledged meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from psmr.chaos.options import ChaosResult
from psmr.chaos.plan import EVERYONE

_WIDTH, _LEFT, _TOP, _LANE, _CURVE = 1100, 90, 20, 34, 90
_BINS = 220
_COLOURS = {
    "kill": "#c0392b",
    "outage": "#7b241c",
    "pause": "#d68910",
    "worker": "#884ea0",
    "client": "#5d6d7e",
    "partition": "#1f618d",
    "mute": "#2e86c1",
    "deaf": "#5dade2",
    "slow": "#73c6b6",
    "clock": "#1e8449",
    "disk": "#af601a",
    "corrupt": "#b03a8c",
    "corrupt-snapshot": "#d98cc3",
    "away": "#7d6608",
    "replace": "#0e6655",
    "remove-leader": "#17202a",
    "roll": "#45b39d",
}


def draw(result: ChaosResult, acknowledged_at_s: Sequence[float]) -> str:
    """One page of HTML that needs nothing else; the same run gives the same page."""
    verdict = "passed" if result.passed else "FAILED"
    title = f"{result.app}, {result.replicas} replicas, {result.durability}, seed {result.seed}: {verdict}"
    facts = (
        f"{result.acknowledged:,} commands acknowledged, {result.lost} lost, {result.duplicated} duplicated, digests "
        f"{'equal' if result.digests_equal else 'DIFFER'}, linearizable: {result.linearizable}."
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{font:14px sans-serif;margin:2em}td,th{text-align:left;padding:2px 14px 2px 0}"
        "text{font:12px sans-serif}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n<p>{escape(facts)} A bar is a fault, its pale end the way back; the curve is "
        f"batches acknowledged.</p>\n{_picture(result, acknowledged_at_s)}\n{_table(result.happenings)}</body></html>\n"
    )


def _picture(result: ChaosResult, acknowledged_at_s: Sequence[float]) -> str:
    lanes = [*_replicas(result), "clients"]
    height = _TOP + _LANE * len(lanes) + _CURVE + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}">']
    for place, lane in enumerate(lanes):
        y = _TOP + _LANE * place
        parts.append(f'<text x="4" y="{y + 20}">{lane}</text>')
        parts.append(f'<line x1="{_LEFT}" y1="{y + 30}" x2="{_WIDTH}" y2="{y + 30}" stroke="#ddd"/>')
    for happening in result.happenings:
        for place, lane in enumerate(lanes):
            if _touches(str(happening["target"]), lane):
                parts.append(_bar(happening, _TOP + _LANE * place, result.seconds))
    parts.append(_curve(result, acknowledged_at_s, _TOP + _LANE * len(lanes) + 10))
    return "\n".join([*parts, "</svg>"])


def _replicas(result: ChaosResult) -> list[str]:
    """Those of the beginning, and those that joined later and had a fault."""
    targets = {str(happening["target"]) for happening in result.happenings}
    joined = {int(target.split()[1]) for target in targets if target.startswith("replica ")}
    return [f"replica {number}" for number in sorted(joined | set(range(1, result.replicas + 1)))]


def _touches(target: str, lane: str) -> bool:
    if target == EVERYONE:
        return lane.startswith("replica")
    return target == lane or (lane == "clients" and target.startswith("client"))


def _bar(happening: dict[str, Any], y: int, seconds: float) -> str:
    begun, healed, well = (_x(float(happening[key]), seconds) for key in ("begun_s", "healed_s", "well_s"))
    colour = _COLOURS[happening["kind"]]
    note = escape(f"{happening['kind']} {happening['target']} at {happening['begun_s']} s. {happening['note']}")
    edge = ' stroke="black"' if happening["was_leader"] else ""
    return (
        f'<g><title>{note}</title><rect x="{begun:.1f}" y="{y + 6}" width="{max(2.0, well - begun):.1f}" height="20" '
        f'fill="{colour}" opacity="0.35"/><rect x="{begun:.1f}" y="{y + 6}" width="{max(2.0, healed - begun):.1f}" '
        f'height="20" fill="{colour}"{edge}/><text x="{begun + 3:.1f}" y="{y + 4}">{happening["kind"]}</text></g>'
    )


def _curve(result: ChaosResult, acknowledged_at_s: Sequence[float], y: int) -> str:
    counts = [0] * (_BINS + 1)
    for at_s in acknowledged_at_s:
        if 0 <= at_s <= result.seconds:
            counts[int(at_s / result.seconds * _BINS)] += 1
    top = max(counts) or 1
    points = " ".join(
        f"{_x(place / _BINS * result.seconds, result.seconds):.1f},{y + _CURVE - count / top * _CURVE:.1f}"
        for place, count in enumerate(counts)
    )
    marks = "".join(
        f'<text x="{_x(result.seconds * part / 10, result.seconds):.0f}" y="{y + _CURVE + 16}">'
        f"{result.seconds * part / 10:.1f} s</text>"
        for part in range(10)
    )
    return (
        f'<text x="4" y="{y + _CURVE // 2}">acknowledged</text>'
        f'<polyline points="{points}" fill="none" stroke="#1e8449" stroke-width="1.5"/>{marks}'
    )


def _x(at_s: float, seconds: float) -> float:
    return _LEFT + (_WIDTH - _LEFT) * min(1.0, max(0.0, at_s / seconds))


def _table(happenings: Sequence[dict[str, Any]]) -> str:
    rows = "\n".join(
        "<tr>"
        + "".join(f"<td>{escape(str(h[key]))}</td>" for key in ("begun_s", "healed_s", "well_s"))
        + f"<td>{escape(str(h['kind']))}</td><td>{escape(str(h['target']))}{', the leader' if h['was_leader'] else ''}</td>"
        f"<td>{escape(str(h['note']))}</td></tr>"
        for h in happenings
    )
    heads = "".join(
        f"<th>{head}</th>" for head in ("begun, s", "healed, s", "well, s", "fault", "at", "what came of it")
    )
    return f"<table><tr>{heads}</tr>\n{rows}</table>"
