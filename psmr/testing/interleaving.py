"""The orders in which workers may execute calls, by C-G: each worker its own in log order, together where they meet.

A call goes to the workers that own one of its groups (Marandi, Bezerra, Pedone, ICDCS 2014). Where it goes to several, one
executes it when all have come to it, and they go on behind it. Everything else may happen in any order: one is drawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from random import Random

from cdep import ALL_GROUPS

_GROUPS = 64


def workers_of(mask: int, workers: int) -> frozenset[int]:
    """The workers that a call goes to, by its groups."""
    if mask == ALL_GROUPS:
        return frozenset(range(workers))
    return frozenset(group % workers for group in range(_GROUPS) if mask >> group & 1)


def interleaved(masks: Sequence[int], workers: int, random: Random) -> Iterator[int]:
    """The places of the calls, in an order in which so many workers may execute them."""
    goes_to = [workers_of(mask, workers) for mask in masks]
    queues: list[deque[int]] = [deque() for _ in range(workers)]
    for place, those in enumerate(goes_to):
        for worker in those:
            queues[worker].append(place)
    for _ in masks:
        heads = sorted({queue[0] for queue in queues if queue})
        ready = [place for place in heads if all(queues[worker][0] == place for worker in goes_to[place])]
        place = random.choice(ready)
        for worker in goes_to[place]:
            queues[worker].popleft()
        yield place
