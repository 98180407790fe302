"""A chart as SVG text, to stand in a page: curves over one pair of axes. The same figures give the same bytes. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 16, 44
_COLOURS = ("#2160d3", "#c9420b", "#128a4a", "#8e44ad", "#a06a00", "#555555")
_GRID, _INK = "#d5dbe3", "#1b2430"


def line_chart(x_label: str, y_label: str, curves: Mapping[str, Points], *, log_x: bool = False) -> str:
    """The curves, each its points by rising x, with axes that begin at 0 (x at its least where `log_x`) and a legend."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        raise ValueError("expected points to draw, found none")
    xs = sorted({x for x, _ in points})
    y_max = _round_up(max(y for _, y in points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT + 18 * len(curves)}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT + 18 * len(curves)}" role="img" font-family="sans-serif" font-size="12" fill="{_INK}">',
        f"<title>{escape(y_label)} by {escape(x_label)}</title>",
    ]
    parts += _y_axis(y_label, y_max)
    parts += _x_axis(x_label, xs, log_x)
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(_x(x, xs, log_x), _y(y, y_max)) for x, y in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        top = _HEIGHT + 18 * number
        parts.append(f'<rect x="{_LEFT}" y="{top}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 22}" y="{top + 6}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"])


def bars(rows: Sequence[tuple[str, float, str]], *, full: float = 1.0) -> str:
    """Rows of (name, length, text behind the bar), as long as they are of `full`."""
    height = 22 * len(rows) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">'
    ]
    for number, (name, length, text) in enumerate(rows):
        y = 22 * number + 4
        width = max(1.0, 240 * min(1.0, length / full)) if full else 1.0
        parts.append(f'<text x="176" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="184" y="{y}" width="{width:.1f}" height="16" fill="{_COLOURS[0]}"/>')
        parts.append(f'<text x="{190 + width:.1f}" y="{y + 12}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"])


def _y_axis(label: str, y_max: float) -> list[str]:
    parts = [f'<text x="{_LEFT}" y="11" font-size="11">{escape(label)}</text>']
    for step in range(5):
        value = y_max * step / 4
        y = _y(value, y_max)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    return parts


def _x_axis(label: str, xs: Sequence[float], log_x: bool) -> list[str]:
    y = _HEIGHT - _BOTTOM
    parts = [
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{y + 34}" text-anchor="middle" font-size="11">{escape(label)}</text>'
    ]
    taken = -math.inf
    for x in xs:
        place = _x(x, xs, log_x)
        if place - taken >= 24:
            parts.append(f'<text x="{place:.1f}" y="{y + 16}" text-anchor="middle">{x:g}</text>')
            taken = place
    return parts


def _x(x: float, xs: Sequence[float], log_x: bool) -> float:
    least = xs[0] if log_x else min(0.0, xs[0])
    low, high, at = (math.log(v) for v in (least, xs[-1], x)) if log_x else (least, xs[-1], x)
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((at - low) / (high - low) if high > low else 0.5)


def _y(y: float, y_max: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * (y / y_max)


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 8, 10 times a power of ten: axes that read well in quarters."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 2, 4, 8, 10) if value <= step * unit)
