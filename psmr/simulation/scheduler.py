"""Virtual time: actions run in the order of their times, and time jumps from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Scheduler:
    """A queue of actions; those of one moment run in the order in which they were put in."""

    __slots__ = ("_count", "_queue", "now_us", "steps")

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.now_us = 0
        self.steps = 0

    def after(self, delay_us: int, action: Callable[..., None], *arguments: object) -> None:
        """Run `action(*arguments)` in `delay_us` from now."""
        self._count = count = self._count + 1
        heappush(self._queue, (self.now_us + delay_us, count, action, arguments))

    def run_until(self, end_us: int, is_done: Callable[[], bool] | None = None, every: int = 1) -> bool:
        """Run what is due up to `end_us`; stop early, with True, as soon as `is_done` after a step, or after every so many."""
        queue = self._queue
        if is_done is None:
            while queue and queue[0][0] <= end_us:
                self.now_us, _, action, arguments = heappop(queue)
                self.steps += 1
                action(*arguments)
            self.now_us = end_us
            return False
        while queue and queue[0][0] <= end_us:
            self.now_us, _, action, arguments = heappop(queue)
            self.steps += 1
            action(*arguments)
            if not self.steps % every and is_done():
                return True
        self.now_us = end_us
        return False
