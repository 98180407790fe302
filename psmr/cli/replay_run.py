"""What `psmr replay` does: goes to a position, steps there, or plays two beside each other; tells it as text or as JSON."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cdep import service_of
from psmr.cli import replay_text as texts
from psmr.cli.exits import ExitCode
from psmr.cli.output import console, say
from psmr.errors import ConfigurationError
from psmr.json_output import JsonOutput
from psmr.replaying.documents import Shown, position_document, shown_document, step_document
from psmr.replaying.position import Position
from psmr.replaying.stepper import Stepper, entry_before, no_such_row
from psmr.replaying.steps import Step
from psmr.replaying.travel import Compared, Side
from psmr.replaying.travel import compare as compared

_SAY_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """Where to, whether and from where to step, what of the state to show, and how."""

    last: Position
    first: Position | None
    steps: bool
    count: int
    show: Sequence[str]
    limit: int
    output: JsonOutput


def travel(side: Side, wishes: Wishes) -> int:
    """Go to a position, and tell of it."""
    folder, last = side.folder, wishes.last
    folder.origin_for(last.index)
    shown = [Shown(text, service_of(side.owner)) for text in wishes.show]
    if not wishes.steps:
        if wishes.first is not None:
            raise ConfigurationError(
                "--from: expected --step with it, or two folders or services to compare, found neither"
            )
        with side.player(last.index if last.row is None else last.index - 1) as player:
            stepper = Stepper(player)
            stepper.go_to(last, _progress(last.index))
            _tell(stepper, shown, wishes, [])
        return ExitCode.OK
    first = wishes.first or Position(entry_before(folder, last, wishes.count)[0])
    if first.index < 1 or first.index > last.index:
        raise ConfigurationError(f"--from {first}: expected an entry from 1 to {last.index}, where the replay ends")
    with side.player(first.index - 1) as player:
        stepper = Stepper(player)
        if wishes.first is None:
            stepper.go_to_last_but(wishes.count, last, _progress(first.index - 1))
        else:
            stepper.go_before(first, _progress(first.index - 1))
        if sys.stdin.isatty() and sys.stdout.isatty() and not wishes.output.is_wanted:
            from psmr.cli.replay_walk import walk

            return walk(stepper, side, shown, wishes)
        steps = _until(stepper, last)
        if wishes.first is None:
            steps = iter(deque(steps, wishes.count))
        _tell(stepper, shown, wishes, _told(steps, wishes.output))
    return ExitCode.OK


def _told(steps: Iterator[Step], output: JsonOutput) -> list[dict[str, Any]]:
    """The steps, each in words as it is taken, as what is to be written of them."""
    documents = []
    for step in steps:
        if not output.is_alone:
            lines(texts.step_lines(step))
        if output.is_wanted:
            documents.append(step_document(step))
    if not output.is_alone:
        lines([""])
    return documents


def _until(stepper: Stepper, last: Position) -> Iterator[Step]:
    """The commands up to a position, each executed as it is taken."""
    rows = 0
    while (step := stepper.next(last)) is not None:
        rows = rows + 1 if step.position.index == last.index else 0
        yield step
        if step.position == last:
            return
    if last.row is not None:
        raise no_such_row(stepper.player.folder, last, rows)


def _tell(stepper: Stepper, shown: Sequence[Shown], wishes: Wishes, steps: list[dict[str, Any]]) -> None:
    """The position, and what of the state was asked for."""
    document = position_document(stepper.player, wishes.last)
    if wishes.output.is_wanted:
        found = [shown_document(each, stepper.cells, wishes.limit) for each in shown]
        wishes.output.write({**document, "steps": steps, "state": found})
    if wishes.output.is_alone:
        return
    lines(texts.position_lines(document))
    for each in shown:
        lines(texts.shown_lines(each, stepper.cells, wishes.limit))


def compare(one: Side, other: Side, first: Position | None, last: Position | None, output: JsonOutput) -> int:
    """Play both in step; 0 when they are equal."""
    for option, position in (("--from", first), ("--to", last)):
        if position is not None and position.row is not None:
            raise ConfigurationError(
                f"{option} {position}: expected an entry, as whole entries are compared, found a row"
            )
    names = _names(one, other)
    end = last.index if last is not None else min(one.folder.last, other.folder.last)
    start, stop = (None if position is None else position.index for position in (first, last))
    found = compared(one, other, start, stop, _progress(end))
    difference = found.difference
    output.write(
        {
            "identical": difference is None,
            "first": names[0],
            "second": names[1],
            "from": found.first,
            "to": found.last,
            "difference": None if difference is None else texts.difference_document(difference),
        }
    )
    if not output.is_alone:
        _say_compared(found, names)
    return ExitCode.OK if difference is None else ExitCode.FAILED


def _say_compared(found: Compared, names: tuple[str, str]) -> None:
    if found.difference is None:
        lines([f"{names[0]} and {names[1]} are equal from {found.first} to {found.last}: replies, events and state"])
    else:
        lines(texts.difference_lines(found.difference, names))


def _names(one: Side, other: Side) -> tuple[str, str]:
    """What tells the two apart: folder, service or workers."""
    if one.folder.path != other.folder.path:
        return str(one.folder.path), str(other.folder.path)
    if one.owner is not other.owner:
        return _service_name(one), _service_name(other)
    return f"{one.folder.path} by {one.workers}", f"by {other.workers} workers"


def _service_name(side: Side) -> str:
    return f"{side.owner.__module__}:{side.owner.__qualname__}"


def lines(texts: Iterator[str] | Sequence[str]) -> None:
    """Each on a line of its own, not broken."""
    screen = console()
    for text in texts:
        screen.print(text, markup=False, soft_wrap=True)


def _progress(last: int) -> Callable[[int], None]:
    """Says now and then how far a replay is."""
    due_s = time.monotonic() + _SAY_EVERY_S

    def say_sometimes(index: int) -> None:
        nonlocal due_s
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + _SAY_EVERY_S
            say(f"replayed up to entry {index:,} of {last:,}")

    return say_sometimes
