"""A history in real time: where nothing overlaps it is a sequence, elsewhere a segment of parallel chains.

A *segment* is a longest run of operations that overlap one another, directly or through others: between two segments
there is a moment at which nothing was under way. A segment of one operation needs no search.

Within a segment, operations are laid out as *chains*, sequences whose order is fixed, so that what has been placed so
far is one position a chain. With sessions' own order a chain is a process. Without, a chain is any sequence of
operations each of which returned before the next was called: a fixed order too, and as few of them as overlap at once.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Sequence
from operator import itemgetter

from psmr.checking.history import Operation

Item = Operation | list[Operation]
"""A segment: one operation that overlaps none and has a known outcome, or several."""


def segments(operations: list[Operation]) -> list[Item]:
    """The segments in the order of time; sorts `operations` by their call."""
    operations.sort(key=itemgetter(1))
    items: list[Item] = []
    group: list[Operation] = []
    until: float = -math.inf
    for operation in operations:
        returned = operation[2]
        if operation[1] > until:
            if group:
                items.append(group if len(group) > 1 else group[0])
            group = [operation]
            until = math.inf if returned is None else returned
        else:
            group.append(operation)
            if returned is None or returned > until:
                until = math.inf if returned is None else returned
    if group:
        items.append(group if len(group) > 1 or until == math.inf else group[0])
    return items


class Chains:
    """The chains of one segment, with a guard at each end that is never called and never due.

    `called[chain][place]` is when an operation was called; `due[chain][place]` is the earliest return from that place
    on: nothing that was called later may come before it. `ends[chain][place]` is where the batch of an operation ends:
    those of known outcome that one process called at once, and that returned at once; with `whole_batches` they are
    placed together, else each by itself. `has_batches` tells whether that made a difference.
    """

    __slots__ = ("called", "due", "ends", "has_batches", "operations")

    def __init__(self, group: list[Operation], *, by_session: bool, whole_batches: bool) -> None:
        self.operations = by_process(group) if by_session else by_time(group)
        self.called: list[list[float]] = [[*map(itemgetter(1), chain), math.inf] for chain in self.operations]
        self.due = [_earliest_returns(chain) for chain in self.operations]
        self.ends: list[Sequence[int]] = [
            _batch_ends(chain) if whole_batches else range(1, len(chain) + 1) for chain in self.operations
        ]
        self.has_batches = any(end > place + 1 for ends in self.ends for place, end in enumerate(ends))


def by_process(group: list[Operation]) -> list[list[Operation]]:
    chains: dict[Hashable, list[Operation]] = {}
    for operation in group:
        chains.setdefault(operation[0], []).append(operation)
    return list(chains.values())


def by_time(group: list[Operation]) -> list[list[Operation]]:
    """As few chains as there are operations under way at once: each goes to the chain that has been free longest."""
    chains: list[list[Operation]] = []
    free: list[tuple[int, int]] = []
    for operation in group:
        if free and free[0][0] < operation[1]:
            chain = heapq.heappop(free)[1]
            chains[chain].append(operation)
        else:
            chain = len(chains)
            chains.append([operation])
        if operation[2] is not None:
            heapq.heappush(free, (operation[2], chain))
    return chains


def _earliest_returns(chain: list[Operation]) -> list[float]:
    due = [math.inf]
    for operation in reversed(chain):
        returned = operation[2]
        due.append(due[-1] if returned is None or returned > due[-1] else returned)
    due.reverse()
    return due


def _batch_ends(chain: list[Operation]) -> list[int]:
    ends: list[int] = []
    end = len(chain)
    for place in range(len(chain) - 1, -1, -1):
        if end > place + 1 and (chain[place][2] is None or chain[place][1:3] != chain[place + 1][1:3]):
            end = place + 1
        ends.append(end)
    ends.reverse()
    return ends
