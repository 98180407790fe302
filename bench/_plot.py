"""Curves of a benchmark's result, drawn: small multiples in one figure.

A benchmark whose curves say more than its table has `plots(result) -> list[Plot]`; `psmr bench NAME --plot FILE` draws
them. The same result gives the same SVG: no date, no random names.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psmr.errors import ConfigurationError
from psmr.files import check_place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_STARTS = {".svg": "<?xml", ".png": "\N{REPLACEMENT CHARACTER}PNG"}
"""What a file of that kind begins with, read as UTF-8: only such a file may be replaced."""

_WIDTH_INCHES, _HEIGHT_INCHES = 5.2, 3.8
_ACROSS_MAX = 3
_TICKS_MAX = 9
_SPAN_MAX = 16
_DECADES_MIN = 100
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5c3c92", "#555555")
_MARKERS = "osD^vPX*"
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "psmr",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over one pair of axes; `note` stands below the title. A curve is its points (x, y), by rising x."""

    title: str
    x_label: str
    y_label: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    log_x: bool = False
    log_y: bool = False
    note: str = ""


def check_drawable(path: Path) -> None:
    """Raise now what `draw` would raise after long work: ConfigurationError without matplotlib, or for a bad path."""
    if path.suffix.lower() not in _STARTS:
        raise ConfigurationError(
            f"{path}: expected a name that ends in {' or '.join(_STARTS)}, found {path.suffix or 'no suffix'}: rename it"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigurationError(
            "bench: expected matplotlib to draw with, found that it is not installed: pip install 'psmr[bench]'"
        )
    check_place(path, what="a drawing", starts_with=_STARTS[path.suffix.lower()])


def draw(plots: Sequence[Plot], path: Path) -> None:
    """Draw all plots into one SVG or PNG, as the name's suffix says. Raises ConfigurationError where it cannot."""
    check_drawable(path)
    if not plots:
        raise ConfigurationError(f"{path}: expected curves to draw, found none: leave --plot out")
    # Costs half a second, which only a drawing should pay. A Figure by itself needs no display and keeps no global state.
    import matplotlib
    from matplotlib.figure import Figure

    across = min(len(plots), 2 if len(plots) == 4 else _ACROSS_MAX)
    down = math.ceil(len(plots) / across)
    kind = path.suffix.lower().lstrip(".")
    drawn = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH_INCHES * across, _HEIGHT_INCHES * down), layout="constrained")
        for number, plot in enumerate(plots):
            _draw_one(figure.add_subplot(down, across, number + 1), plot)
        figure.savefig(drawn, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    path.write_bytes(drawn.getvalue())


def _draw_one(axes: Axes, plot: Plot) -> None:
    for number, (name, points) in enumerate(plot.curves.items()):
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            label=name,
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            linewidth=1.4,
        )
    axes.set_title(f"{plot.title}\n{plot.note}" if plot.note else plot.title, loc="left", fontsize=9)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    places = sorted({x for points in plot.curves.values() for x, _ in points})
    heights = [y for points in plot.curves.values() for _, y in points]
    if plot.log_x:
        axes.set_xscale("log")
    if plot.log_y:
        axes.set_yscale("log")
    _mark(axes.xaxis, plot.log_x, places)
    _mark(axes.yaxis, plot.log_y, heights)
    if _few(places, plot.log_x):
        axes.set_xticks(places)
        axes.set_xticks([], minor=True)
    if not plot.log_y and heights and min(heights) >= 0:
        axes.set_ylim(bottom=0)
    if len(plot.curves) > 1:
        axes.legend(fontsize=8)


def _few(places: Sequence[float], is_log: bool) -> bool:
    """Whether the measured places can stand at the axis themselves: not too many, and not too close to each other."""
    whole = all(place == int(place) for place in places)
    return 0 < len(places) <= _TICKS_MAX and (is_log or (whole and places[-1] - places[0] <= _SPAN_MAX))


def _mark(axis: Axis, is_log: bool, values: Sequence[float]) -> None:
    """Ticks that read "1,024" and "4M"; less than two decades need more of them than one a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    if not is_log:
        return
    axis.set_minor_formatter(NullFormatter())
    positive = [value for value in values if value > 0]
    if positive and max(positive) < _DECADES_MIN * min(positive):
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))


def _number(value: float) -> str:
    """ "1,024", "40k", "2.5M"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):g}{unit}"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
