"""A history in real time, laid out as *chains*: sequences whose order is fixed.

What has been placed so far is then one position a chain. With sessions' own order a chain is a process. Without, a chain is
any sequence of operations each of which returned before the next was called: a fixed order too, and as few of them as overlap
at once.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Sequence

from psmr.checking.history import Operation


def by_process(operations: list[Operation]) -> list[list[Operation]]:
    """A chain a process, in the order of `operations`."""
    chains: dict[Hashable, list[Operation]] = {}
    for operation in operations:
        chains.setdefault(operation[0], []).append(operation)
    return list(chains.values())


def by_time(operations: list[Operation]) -> list[list[Operation]]:
    """As few chains as there are operations under way at once: each goes to the chain that has been free longest.

    `operations` are in the order of their calls. One of unknown outcome is the last of its chain.
    """
    chains: list[list[Operation]] = []
    free: list[tuple[int, int]] = []
    for operation in operations:
        if free and free[0][0] < operation[1]:
            chain = heapq.heappop(free)[1]
            chains[chain].append(operation)
        else:
            chain = len(chains)
            chains.append([operation])
        if operation[2] is not None:
            heapq.heappush(free, (operation[2], chain))
    return chains


def earliest_returns(chain: list[Operation]) -> list[float]:
    """For each place the earliest return from there on: nothing that was called later may come before it."""
    due: list[float] = []
    earliest = math.inf
    for operation in reversed(chain):
        returned = operation[2]
        if returned is not None and returned < earliest:
            earliest = returned
        due.append(earliest)
    due.reverse()
    return due


def batch_ends(chain: list[Operation]) -> Sequence[int]:
    """For each place the end of its batch: operations of known outcome that were called at once, and returned at once."""
    ends: list[int] = []
    end = len(chain)
    for place in range(len(chain) - 1, -1, -1):
        if end > place + 1 and (chain[place][2] is None or chain[place][1:3] != chain[place + 1][1:3]):
            end = place + 1
        ends.append(end)
    ends.reverse()
    return ends


def are_sequential(operations: list[Operation]) -> bool:
    """Whether each process called an operation only after its one before had returned: then time says all about sessions."""
    last: dict[Hashable, float] = {}
    for operation in operations:
        process, called, returned = operation[:3]
        if called <= last.get(process, -math.inf):
            return False
        last[process] = math.inf if returned is None else returned
    return True
