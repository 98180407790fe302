"""Steps, state and differences of `psmr replay`, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from psmr.replaying.cells import Cells, key_text
from psmr.replaying.documents import Document, Shown, step_document, value_of
from psmr.replaying.lockstep import Difference
from psmr.replaying.steps import Step, Write

_WRITES_SHOWN = 50


def time_text(now_us: int) -> str:
    """A stamp of the log."""
    return datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def value_text(value: Any) -> str:
    """A value to be read; nothing where a key is not there."""
    return "nothing" if value is None else key_text(value)


def call_text(step: Step) -> str:
    """A command as it was called."""
    arguments = ", ".join(f"{name}={value_text(value)}" for name, value in step.arguments.items())
    return f"{step.command}({arguments})"


def answer_text(step: Step) -> str:
    """What it answered, or raised."""
    if step.raised is not None:
        return f"raised {step.raised}"
    return "done" if step.reply is None else value_text(step.reply)


def step_lines(step: Step) -> Iterator[str]:
    """A command, and below it what it changed and emitted."""
    yield f"{step.position!s:<10} {call_text(step)}  →  {answer_text(step)}"
    writes = step.writes[:_WRITES_SHOWN]
    rows = [(str(write.cell), value_text(write.old), _became(write)) for write in writes]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for cell, old, became in rows:
        yield f"           {cell:<{widths[0]}}  {old:>{widths[1]}}  {became}"
    more = len(step.writes) - len(writes) + step.left_out
    if more:
        yield f"           and {more} cells more"
    for name, fields in step.events:
        yield f"           event {name}({', '.join(f'{key}={value_text(value)}' for key, value in fields.items())})"


def _became(write: Write) -> str:
    if not write.is_change:
        return "(the same written)"
    moved = f"  (from place {write.old_place} to {write.place})" if write.place != write.old_place else ""
    return f"→  {value_text(write.new)}{moved}"


def position_lines(document: Document) -> Iterator[str]:
    """Where a player stands."""
    began = f"the snapshot at {document['started_at']}" if document["started_at"] else "the log's beginning"
    yield (
        f"{document['folder']} at {document['position']}: {document['service']} version {document['version']} "
        f"({document['fingerprint']}), replayed from {began}"
    )
    stamp = time_text(document["now_us"]) if document["now_us"] else "none yet"
    yield f"stamp {stamp}   state digest {document['digest']}"
    yield f"positions {document['first']} to {document['last']} can be had"
    if int(str(document["position"]).partition(":")[0]) > document["committed"]:
        yield f"entries behind {document['committed']} are not known to be committed here"
    for note in document["notes"]:
        yield f"not used: {note}"


def shown_lines(shown: Shown, cells: Cells, limit: int) -> Iterator[str]:
    """Cells of the state."""
    found = list(islice(shown.found(cells), limit + 1))
    width = max((len(str(name)) for name, _ in found[:limit]), default=0)
    yield f"{shown.text}:" if found else f"{shown.text}: nothing"
    for name, held in found[:limit]:
        yield f"  {name!s:<{width}}  {value_text(held.value)}"
    if len(found) > limit:
        yield f"  and more: raise --limit {limit}, or name one with --show {shown.container}:KEY"


def difference_document(difference: Difference) -> Document:
    """The first difference, for machines."""
    return {
        "where": difference.where,
        "position": str(difference.position),
        "what": difference.what,
        "of": difference.of,
        "cells": [
            {
                "cell": str(each.cell),
                "expected": value_of(each.expected),
                "found": value_of(each.found),
                "places": list(each.places),
            }
            for each in difference.cells
        ],
        "expected": None if difference.expected is None else step_document(difference.expected),
        "found": None if difference.found is None else step_document(difference.found),
    }


def difference_lines(difference: Difference, names: Sequence[str]) -> Iterator[str]:
    """The first difference; `names` are those of the two sides."""
    first, second = names
    what = ", ".join(difference.what)
    if difference.where in ("snapshot", "events"):
        first, second = "replay", difference.of
        yield f"{second}: its {difference.where} at {difference.position} differ from replay: {what}"
    else:
        yield f"the first difference is at {difference.position}: {what}"
    expected, found = difference.expected, difference.found
    rows: list[tuple[str, str, str]] = []
    if expected is not None and found is not None:
        yield f"{call_text(expected)}   session {expected.session}, sequence {expected.sequence}, {time_text(expected.now_us)}"
        rows.append(("reply", answer_text(expected), answer_text(found)))
        if expected.events != found.events:
            rows.append(("events", _events_text(expected), _events_text(found)))
    for each in difference.cells:
        texts = [value_text(each.expected), value_text(each.found)]
        if texts[0] == texts[1]:
            texts = [f"{text} at place {place}" for text, place in zip(texts, each.places, strict=True)]
        rows.append((str(each.cell), texts[0], texts[1]))
    yield from _columns([("", first, second), *rows])


def _events_text(step: Step) -> str:
    return "; ".join(
        f"{name}({', '.join(f'{key}={value_text(value)}' for key, value in fields.items())})"
        for name, fields in step.events
    )


def _columns(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for row in rows:
        yield f"  {row[0]:<{widths[0]}}   {row[1]:<{widths[1]}}   {row[2]}".rstrip()
