"""The relation as a picture and as tables."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from types import new_class
from typing import Any

import pytest

from cdep import (
    Service,
    StateMachine,
    dependent,
    groups_table,
    i64,
    independent,
    partially_dependent,
    relation_svg,
    relation_table,
    service_of,
    u64,
)
from cdep.circle import Box, Circle, Edge, arrange

SVG = "{http://www.w3.org/2000/svg}"


class Accounts(StateMachine, spread_reads=("limit",)):
    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> None: ...

    @partially_dependent("source", "target", domain="account", access={"source": "read"})
    def copy(self, source: u64, target: u64) -> None: ...

    @partially_dependent("account", "limit", access="read")
    def check(self, account: u64, limit: u64) -> None: ...

    @partially_dependent("limit")
    def restrict(self, limit: u64) -> None: ...

    @partially_dependent("account", "limit")
    def bind(self, account: u64, limit: u64) -> None: ...

    @dependent
    def close(self) -> None: ...

    @dependent(access="read")
    def total(self) -> None: ...

    @independent
    def ping(self) -> None: ...


SERVICE = service_of(Accounts)


def crowd(count: int, dependents: int) -> Service:
    """A service of `count` commands, each of which conflicts with each."""

    def fill(body: dict[str, Any]) -> None:
        for at in range(count):

            def act(self: object, account: u64, limit: u64) -> None: ...

            keys = partially_dependent(*("account", "limit")[: 1 + at % 2])
            body[f"command_number_{at}"] = dependent(act) if at < dependents else keys(act)

    return service_of(new_class("Crowd", (StateMachine,), {}, fill))


def test_relation_table() -> None:
    rows = {row.command: row for row in relation_table(SERVICE)}
    assert list(rows) == [command.name for command in SERVICE.commands]
    assert rows["deposit"].parameters == "account: u64, amount: i64"
    assert rows["deposit"].kind == "partial write"
    assert dict(rows["deposit"].conflicts) == {
        "deposit": "same account",
        "copy": "same account",
        "check": "same account",
        "bind": "same account",
        "close": "always",
        "total": "always",
    }
    assert dict(rows["total"].conflicts).keys() == {"deposit", "copy", "restrict", "bind", "close"}
    assert rows["ping"].conflicts == ()


def test_conditions_are_spelled_out_where_only_some_keys_conflict() -> None:
    rows = {row.command: dict(row.conflicts) for row in relation_table(SERVICE)}
    assert rows["copy"]["copy"] == "source = target or target = source or target = target"
    assert rows["copy"]["check"] == "target = account"
    assert rows["check"]["copy"] == "account = target"
    assert rows["bind"]["check"] == "same account or limit"


def test_groups_table() -> None:
    rows = {row.command: (row.touches, row.groups) for row in groups_table(SERVICE)}
    assert rows == {
        "deposit": ("account write", "1 of 64 by account"),
        "copy": ("source (account) read, target (account) write", "1 to 2 of 64 by source, target"),
        "check": ("account read, limit read", "1 to 2 of 64 by account, position"),
        "restrict": ("limit write", "all 64"),
        "bind": ("account write, limit write", "all 64"),
        "close": ("everything write", "all 64"),
        "total": ("everything read", "all 64"),
        "ping": ("nothing", "1 of 64 by position"),
    }


def test_picture_shows_every_command_and_every_conflict() -> None:
    root = ET.fromstring(relation_svg(SERVICE))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {command.name for command in SERVICE.commands} <= set(texts)
    lines = {element.text for path in root.iter(f"{SVG}path") for element in path.iter(f"{SVG}title")}
    expected = {
        f"{row.command} and {other}: {when}"
        for at, row in enumerate(relation_table(SERVICE))
        for other, when in row.conflicts
        if SERVICE.command(other).op > at
    }
    assert lines == expected
    loops = [text for text in texts if text and text.startswith("with itself")]
    assert len(loops) == 5
    assert "with itself: always" in loops


def test_picture_needs_nothing_around_it() -> None:
    text = relation_svg(SERVICE)
    assert "href" not in text
    assert "url(" not in text
    assert "<script" not in text
    assert "prefers-color-scheme: dark" in text
    assert ET.fromstring(text).find(f"{SVG}rect") is not None


def test_same_service_same_picture() -> None:
    assert relation_svg(crowd(9, 2)) == relation_svg(crowd(9, 2))


def test_names_from_any_alphabet_and_long_ones_stay_inside() -> None:
    def act(self: object) -> None: ...

    name = "très_" + "long_" * 20
    text = relation_svg(service_of(type("Ünïcode", (StateMachine,), {name: dependent(act)})))
    root = ET.fromstring(text)
    assert float(root.attrib["width"]) > 700
    assert name in [element.text for element in root.iter(f"{SVG}text")]


def _boxes(circle: Circle) -> list[Box]:
    nodes = [Box.around(point, 18, 18) for point in circle.points]
    return [*circle.texts, *nodes, *(label for label in circle.labels if label is not None)]


@pytest.mark.parametrize("count", range(1, 13))
def test_nothing_overlaps_up_to_a_dozen_commands(count: int) -> None:
    """The worst case: long names, every pair in conflict, a long condition on each line."""
    edges = [Edge(a, b, "same account or limit", 142) for a in range(count) for b in range(a + 1, count)]
    circle = arrange([(240, 48)] * count, edges)
    assert None not in circle.labels
    boxes = _boxes(circle)
    assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[at + 1 :])
    bounds = circle.bounds()
    assert all(bounds.left <= box.left and box.right <= bounds.right for box in boxes)
    assert all(bounds.top <= box.top and box.bottom <= bounds.bottom for box in boxes)


def test_labels_without_room_are_left_out_and_the_lines_still_say_it() -> None:
    edges = [Edge(0, 1, "always", 1e6)]
    assert arrange([(100, 48)] * 2, edges).labels == (None,)


def test_nothing_to_arrange() -> None:
    assert arrange([], []).bounds() == Box(0, 0, 0, 0)


def test_a_segment_crosses_a_box_only_through_its_inside() -> None:
    box = Box(0, 0, 10, 10)
    assert box.crossed_by((-5, 5), (15, 5))
    assert box.crossed_by((-5, -5), (15, 15))
    assert not box.crossed_by((-5, 5), (-1, 5))
    assert not box.crossed_by((-5, 20), (15, 20))
    assert not box.crossed_by((5, 11), (5, 20))
    assert not box.crossed_by((-3, 8), (1, 12))
