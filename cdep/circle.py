"""Where things go when a graph is drawn on a circle: nodes, the text beside them, and a label on every edge.

Pure geometry. Nodes stand on an ellipse (labels are wide, so it is wide), their text outside it, edges and their labels
inside. Where labels would overlap, the ellipse grows until they do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

NODE_RADIUS = 9.0
LOOP_RADIUS = 9.0
LOOP_DISTANCE = 15.0
LABEL_HEIGHT = 17.0

_STRETCH = 1.35
_TEXT_DISTANCE = 33.0
_GROWTH = 1.1
_ATTEMPTS = 16
# Beyond this many edges a label no longer looks for a place that crosses few lines: it would take seconds.
_EDGES_WORTH_COUNTING = 120
_PLACES = tuple(0.5 + side * step / 40 for step in range(14) for side in ((1, -1) if step else (1,)))


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between nodes `a` and `b` and the size of its label."""

    a: int
    b: int
    label: str
    label_width: float


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, centre: Point, width: float, height: float) -> Box:
        """The box of a size around a point."""
        x, y = centre
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    @property
    def centre(self) -> Point:
        """The middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlaps(self, other: Box) -> bool:
        """Whether the two share any area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def crossed_by(self, p: Point, q: Point) -> bool:
        """Whether the segment from p to q passes through (Liang and Barsky's clipping)."""
        near, far = 0.0, 1.0
        for start, end, low, high in ((p[0], q[0], self.left, self.right), (p[1], q[1], self.top, self.bottom)):
            step = end - start
            if step == 0:
                if not low < start < high:
                    return False
                continue
            entry, exit_ = sorted(((low - start) / step, (high - start) / step))
            near, far = max(near, entry), min(far, exit_)
        return near < far


@dataclass(frozen=True, slots=True)
class Circle:
    """The arrangement, around the origin. `outward` are unit vectors; a label that found no place is None."""

    points: tuple[Point, ...]
    outward: tuple[Point, ...]
    texts: tuple[Box, ...]
    labels: tuple[Box | None, ...]

    def bounds(self) -> Box:
        """The box around everything; empty around the origin if there is nothing."""
        boxes = [*self.texts, *(_node_box(point) for point in self.points)]
        return Box(
            min((box.left for box in boxes), default=0.0),
            min((box.top for box in boxes), default=0.0),
            max((box.right for box in boxes), default=0.0),
            max((box.bottom for box in boxes), default=0.0),
        )


def arrange(text_sizes: Sequence[tuple[float, float]], edges: Sequence[Edge]) -> Circle:
    """Place nodes with texts of these sizes, and the labels of `edges`, on the first ellipse that has room."""
    radius = max(96.0, 22.0 * len(text_sizes)) if len(text_sizes) > 1 else 0.0
    for _ in range(_ATTEMPTS):
        circle = _arrange(text_sizes, edges, radius)
        if None not in circle.labels and not _any_overlap(circle.texts):
            break
        radius *= _GROWTH
    return circle


def _arrange(text_sizes: Sequence[tuple[float, float]], edges: Sequence[Edge], radius: float) -> Circle:
    # Half a step off the top: no text stands straight above a node, where its neighbours' texts would meet it.
    angles = [2 * math.pi * (at + 0.5) / len(text_sizes) for at in range(len(text_sizes))]
    if len(angles) == 1:
        angles = [math.pi / 2]
    outward = tuple((math.sin(angle), -math.cos(angle)) for angle in angles)
    points = tuple((radius * _STRETCH * x, radius * y) for x, y in outward)
    texts = tuple(_text_box(p, o, size) for p, o, size in zip(points, outward, text_sizes, strict=True))
    taken = [*texts, *(_node_box(point) for point in points)]
    return Circle(points, outward, texts, _place_labels(points, edges, taken))


def text_side(outward: Point) -> int:
    """1 where a node's text runs to the right of it, -1 to the left, 0 where it is centred above or below."""
    return 0 if abs(outward[0]) < 0.2 else int(math.copysign(1, outward[0]))


def _text_box(point: Point, outward: Point, size: tuple[float, float]) -> Box:
    width, height = size
    x = point[0] + _TEXT_DISTANCE * outward[0] + text_side(outward) * width / 2
    y = point[1] + _TEXT_DISTANCE * outward[1] + outward[1] * height / 2
    return Box.around((x, y), width, height)


def _node_box(point: Point) -> Box:
    return Box.around(point, 2 * NODE_RADIUS + 6, 2 * NODE_RADIUS + 6)


def _place_labels(points: Sequence[Point], edges: Sequence[Edge], taken: list[Box]) -> tuple[Box | None, ...]:
    """A box on each edge, away from all that is taken; short edges choose first, they have the fewest places."""
    lines = [(points[edge.a], points[edge.b]) for edge in edges]
    labels: list[Box | None] = [None] * len(edges)
    for at in sorted(range(len(edges)), key=lambda at: (round(math.dist(*lines[at]), 3), at)):
        others = [line for other, line in enumerate(lines) if other != at and len(lines) <= _EDGES_WORTH_COUNTING]
        box = _place_label(lines[at], edges[at].label_width, others, taken)
        if box is not None:
            labels[at] = box
            taken.append(box)
    return tuple(labels)


def _place_label(
    line: tuple[Point, Point], width: float, others: Iterable[tuple[Point, Point]], taken: Sequence[Box]
) -> Box | None:
    """The place on `line` that covers the fewest other lines, the middle being worth a little."""
    (x0, y0), (x1, y1) = line
    best, best_cost = None, math.inf
    for t in _PLACES:
        box = Box.around((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t), width, LABEL_HEIGHT)
        if any(box.overlaps(other) for other in taken):
            continue
        cost = sum(box.crossed_by(p, q) for p, q in others) + 4 * abs(t - 0.5)
        if cost < best_cost - 1e-9:
            best, best_cost = box, cost
    return best


def _any_overlap(boxes: Sequence[Box]) -> bool:
    return any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[at + 1 :])
