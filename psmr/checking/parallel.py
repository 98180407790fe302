"""The parts that a first look left open, searched to the end in processes of their own.

They are forked, so that parts and model need not travel; what comes back are places in a part.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator
from typing import NamedTuple

from psmr.checking.history import Operation
from psmr.checking.model import Model
from psmr.checking.search import DeadEnd, Effort, Search


class OutOfTime(Exception):
    """The deadline has passed."""


class Task(NamedTuple):
    """What is to be searched, and the `tick` that raises OutOfTime; it is called in the other processes, too."""

    parts: list[list[Operation]]
    model: Model
    effort: Effort
    tick: Callable[[], None]


Found = tuple[bool | None, DeadEnd | None]
"""Whether there is an order, None when time ran out; where it ended when there is none."""

_Places = tuple[bool | None, list[int], list[int]]
_task: list[Task] = []
"""The task of a forked process."""


def search_apart(task: Task, jobs: int) -> Generator[Found, None, None]:
    """What is found of each part, in their order, whichever is done first. Ending the iteration ends the processes."""
    with multiprocessing.get_context("fork").Pool(min(jobs, len(task.parts)), _begin, (task,)) as pool:
        for part, (found, prefix, heads) in zip(task.parts, pool.imap(_search, range(len(task.parts))), strict=True):
            end = DeadEnd([part[place] for place in prefix], [part[place] for place in heads])
            yield found, end if found is False else None


def _begin(task: Task) -> None:
    _task[:] = [task]


def _search(number: int) -> _Places:
    (task,) = _task
    part = task.parts[number]
    try:
        search = Search(part, task.model, task.effort, task.tick)
        found = search.run()
    except OutOfTime:
        return None, [], []
    if found is not False:
        return found, [], []
    end = search.dead_end()
    places = {id(operation): place for place, operation in enumerate(part)}
    return found, [places[id(one)] for one in end.prefix], [places[id(one)] for one in end.heads]
