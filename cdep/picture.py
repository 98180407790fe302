"""The relation as SVG text, from the places that `cdep.circle` finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from cdep.circle import (
    LABEL_HEIGHT,
    LOOP_DISTANCE,
    LOOP_RADIUS,
    NODE_RADIUS,
    Box,
    Circle,
    Edge,
    Point,
    arrange,
    text_side,
)
from cdep.command import Command
from cdep.service import Service
from cdep.words import condition_text, kind_text

# Widths of a character, generous: the reader's fonts are not known here.
_NAME_WIDTH = 8.2
_TEXT_WIDTH = 6.4
_LINE_HEIGHT = 16.0
_PAD = 28.0
_HEADER_HEIGHT = 76.0
_ROW_HEIGHT = 24.0
_LEAST_WIDTH = 520.0

_SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_CARD, _RULE, _INK, _FAINT = "#ffffff", "#d5dbe3", "#1b2430", "#66717f"
_COLOURS = {"dependent": "#c9420b", "partial": "#2160d3", "independent": "#128a4a"}

_CLASSES = {
    "dependent": "dependent: on everything",
    "partial": "partial: on its keys",
    "independent": "independent: on nothing",
}

# The attributes hold the light colours; readers whose pages are dark get these instead.
_DARK_STYLE = """\
<style>
@media (prefers-color-scheme: dark) {
  .card { fill: #151a21; stroke: #323b48 } .rule { stroke: #323b48 } .plate, .read { fill: #151a21 }
  .ink { fill: #e9edf3 } .faint { fill: #98a4b3 }
  .fill-dependent { fill: #ff8b52 } .fill-partial { fill: #75a7ff } .fill-independent { fill: #43c983 }
  .line-dependent { stroke: #ff8b52 } .line-partial { stroke: #75a7ff } .line-independent { stroke: #43c983 }
}
</style>"""


def draw(service: Service) -> str:
    """The SVG of a service's relation."""
    tied = [command for command in service.commands if not command.commutes]
    free = [command for command in service.commands if command.commutes]
    edges = _edges(tied)
    circle = arrange([_text_size(command) for command in tied], edges)
    bounds = circle.bounds()
    width = max(_LEAST_WIDTH, bounds.right - bounds.left + 2 * _PAD)
    top = _HEADER_HEIGHT + _PAD / 2
    origin = ((width - bounds.left - bounds.right) / 2, top - bounds.top)
    below = top + (bounds.bottom - bounds.top) + _PAD
    free_lines, below = _flow(_free_entries(free), below, width)
    legend_rule = below
    legend_lines, height = _flow(_legend_entries(service), below + _PAD / 2, width)
    return "\n".join(
        [
            *_opening(service, width, height + _PAD / 2),
            f'<g transform="translate({_n(origin[0])} {_n(origin[1])})">',
            *_edge_lines(tied, edges, circle),
            *_edge_labels(edges, circle),
            *_nodes(tied, circle),
            "</g>",
            *free_lines,
            f'<path class="rule" d="M{_n(_PAD)} {_n(legend_rule)}H{_n(width - _PAD)}" stroke="{_RULE}"/>',
            *legend_lines,
            "</svg>",
            "",
        ]
    )


def _edges(commands: Sequence[Command]) -> list[Edge]:
    return [
        Edge(a, b, text, len(text) * _TEXT_WIDTH + 8)
        for a in range(len(commands))
        for b in range(a + 1, len(commands))
        if (text := condition_text(commands[a], commands[b]))
    ]


def _opening(service: Service, width: float, height: float) -> Iterator[str]:
    count = len(service.commands)
    title = f"{service.name}: which commands conflict, and when"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" font-family="{_SANS}" font-size="12">'
    )
    yield f"<title>{escape(title, quote=False)}</title>"
    yield _DARK_STYLE
    yield (
        f'<rect class="card" x="0.5" y="0.5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="14" '
        f'fill="{_CARD}" stroke="{_RULE}"/>'
    )
    yield _text((_PAD, 40), service.name, "ink", _INK, 'font-size="20" font-weight="650"')
    words = f"Which commands conflict, and when: {count} command{'s' * (count != 1)}"
    yield _text((_PAD, 61), words, "faint", _FAINT)


def _edge_lines(commands: Sequence[Command], edges: Sequence[Edge], circle: Circle) -> Iterator[str]:
    for edge in edges:
        (x0, y0), (x1, y1) = circle.points[edge.a], circle.points[edge.b]
        colour = _colour_of(edge.label)
        pair = f"{commands[edge.a].name} and {commands[edge.b].name}: {edge.label}"
        yield (
            f'<path class="line-{colour}" d="M{_n(x0)} {_n(y0)}L{_n(x1)} {_n(y1)}" stroke="{_COLOURS[colour]}" '
            f'stroke-width="1.6" stroke-opacity="0.5"{_dash(colour)}><title>{escape(pair, quote=False)}</title></path>'
        )


def _edge_labels(edges: Sequence[Edge], circle: Circle) -> Iterator[str]:
    for edge, box in zip(edges, circle.labels, strict=True):
        if box is not None:
            colour = _colour_of(edge.label)
            yield _plate(box)
            x, y = box.centre
            style = 'font-size="11" text-anchor="middle"'
            yield _text((x, y + 4), edge.label, f"fill-{colour}", _COLOURS[colour], style)


def _nodes(commands: Sequence[Command], circle: Circle) -> Iterator[str]:
    for command, (x, y), outward, box in zip(commands, circle.points, circle.outward, circle.texts, strict=True):
        loop = condition_text(command, command)
        if loop:
            centre = (x + LOOP_DISTANCE * outward[0], y + LOOP_DISTANCE * outward[1])
            yield _ring(centre, _colour_of(loop))
        yield _dot((x, y), command)
        yield from _node_text(command, loop, outward, box)


def _node_text(command: Command, loop: str, outward: Point, box: Box) -> Iterator[str]:
    side = text_side(outward)
    anchor = {1: "start", 0: "middle", -1: "end"}[side]
    x = {1: box.left, 0: box.centre[0], -1: box.right}[side]
    y = box.top + 12
    yield _name((x, y), command.name, anchor)
    yield _text((x, y + _LINE_HEIGHT), kind_text(command), "faint", _FAINT, f'text-anchor="{anchor}"')
    if loop:
        colour = _colour_of(loop)
        style = f'font-size="11" text-anchor="{anchor}"'
        yield _text((x, y + 2 * _LINE_HEIGHT), _loop_text(loop), f"fill-{colour}", _COLOURS[colour], style)


def _text_size(command: Command) -> tuple[float, float]:
    loop = condition_text(command, command)
    lines = [kind_text(command), *([_loop_text(loop)] if loop else [])]
    width = max(len(command.name) * _NAME_WIDTH, *(len(line) * _TEXT_WIDTH for line in lines))
    return width, _LINE_HEIGHT * (1 + len(lines))


def _loop_text(loop: str) -> str:
    return f"with itself: {loop}"


def _free_entries(commands: Sequence[Command]) -> list[tuple[float, list[str]]]:
    """The commands that conflict with nothing: they stand below, in a row of their own."""
    words = "conflict with nothing:"
    heading = (len(words) * _TEXT_WIDTH - 12, [_text((0, 4), words, "faint", _FAINT)])
    entries = [
        (len(command.name) * _NAME_WIDTH + 24, [_dot((9, 0), command), _name((24, 4), command.name, "start")])
        for command in commands
    ]
    return [heading, *entries] if entries else []


def _legend_entries(service: Service) -> list[tuple[float, list[str]]]:
    """The legend's pieces, for what the picture shows: a width, and the drawing of it around (0, 0)."""
    commands = service.commands
    entries = [
        _legend_entry(_circle((9, 0), 6, kind, filled=True), 22, text)
        for kind, text in _CLASSES.items()
        if any(_class_of(command) == kind for command in commands)
    ]
    readers = [_class_of(command) for command in commands if command.access == "read"]
    if readers:
        entries.append(_legend_entry(_circle((9, 0), 6, readers[0], filled=False), 22, "hollow: only reads"))
    conditions = {condition_text(a, b) for a in commands for b in commands} - {""}
    if "always" in conditions:
        entries.append(_legend_entry(_segment("dependent"), 34, "always conflict"))
    if conditions - {"always"}:
        entries.append(_legend_entry(_segment("partial"), 34, "conflict on equal keys"))
    return entries


def _legend_entry(mark: str, indent: float, text: str) -> tuple[float, list[str]]:
    return indent + len(text) * _TEXT_WIDTH, [mark, _text((indent, 4), text, "faint", _FAINT)]


def _flow(entries: Iterable[tuple[float, list[str]]], top: float, width: float) -> tuple[list[str], float]:
    """Entries in rows from left to right, and where the next thing may start."""
    lines: list[str] = []
    x, y, used = _PAD, top + _ROW_HEIGHT / 2, False
    for size, drawing in entries:
        if used and x + size > width - _PAD:
            x, y = _PAD, y + _ROW_HEIGHT
        lines += [f'<g transform="translate({_n(x)} {_n(y)})">', *drawing, "</g>"]
        x, used = x + size + 22, True
    return lines, (y + _ROW_HEIGHT if used else top)


def _colour_of(condition: str) -> str:
    return "dependent" if condition == "always" else "partial"


def _dash(colour: str) -> str:
    return "" if colour == "dependent" else ' stroke-dasharray="5 3"'


def _segment(colour: str) -> str:
    return f'<path class="line-{colour}" d="M2 0H28" stroke="{_COLOURS[colour]}" stroke-width="1.8"{_dash(colour)}/>'


def _ring(centre: Point, colour: str) -> str:
    return (
        f'<circle class="line-{colour}" cx="{_n(centre[0])}" cy="{_n(centre[1])}" r="{_n(LOOP_RADIUS)}" fill="none" '
        f'stroke="{_COLOURS[colour]}" stroke-width="1.6" stroke-opacity="0.75"{_dash(colour)}/>'
    )


def _dot(centre: Point, command: Command) -> str:
    return _circle(centre, 6 if command.commutes else NODE_RADIUS, _class_of(command), command.access != "read")


def _class_of(command: Command) -> str:
    """The command's class; with an early stage it is ordered by keys, whatever its handler depends on."""
    return "partial" if command.early is not None else command.kind


def _circle(centre: Point, radius: float, kind: str, filled: bool) -> str:
    inside, colour = (f"fill-{kind}", _COLOURS[kind]) if filled else ("read", _CARD)
    return (
        f'<circle class="line-{kind} {inside}" cx="{_n(centre[0])}" cy="{_n(centre[1])}" r="{_n(radius - 1)}" '
        f'fill="{colour}" stroke="{_COLOURS[kind]}" stroke-width="2.4"/>'
    )


def _plate(box: Box) -> str:
    return (
        f'<rect class="plate" x="{_n(box.left)}" y="{_n(box.top)}" width="{_n(box.right - box.left)}" '
        f'height="{_n(LABEL_HEIGHT)}" rx="6" fill="{_CARD}" fill-opacity="0.94"/>'
    )


def _name(at: Point, name: str, anchor: str) -> str:
    style = f'font-family="{_MONO}" font-size="13" font-weight="600" text-anchor="{anchor}"'
    return _text(at, name, "ink", _INK, style)


def _text(at: Point, content: str, name: str, colour: str, style: str = "") -> str:
    style = f" {style}" if style else ""
    return f'<text class="{name}" x="{_n(at[0])}" y="{_n(at[1])}" fill="{colour}"{style}>{escape(content, quote=False)}</text>'


def _n(value: float) -> str:
    """A coordinate: at most one decimal, so that the text is short and the same everywhere."""
    return f"{round(value, 1) + 0.0:g}" if abs(value) < 100000 else f"{value:.1f}"
