"""What a simulated replica does beside its loop: at some later moment, whole, unless the power goes on the way."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from psmr.replica.beside import Bell, Work
from psmr.simulation.conditions import Delay
from psmr.simulation.scheduler import Scheduler


class SimulatedWork:
    """Something to be done; `run` does it, once."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work

    def is_alive(self) -> bool:
        """Whether it is still to be done."""
        return self._work is not None

    def join(self) -> None:
        """Do it now."""
        work, self._work = self._work, None
        if work is not None:
            work()


class SimulatedBeside:
    """`Beside` of one life of a replica; `notify` has it take a turn. What is fetched is verified at once."""

    def __init__(self, scheduler: Scheduler, random: Random, delay: Delay, notify: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._random = random
        self._delay = delay
        self._notify = notify
        self._under_way: list[SimulatedWork] = []
        self._is_over = False

    def start(self, work: Callable[[], None], name: str) -> Work:
        """Have it done some time from now."""
        begun = SimulatedWork(work)
        if name == "snapshot-check":
            begun.join()
        else:
            self._under_way.append(begun)
            self._scheduler.after(self._delay.draw_us(self._random), self._finish, begun)
        return begun

    def bell(self) -> Bell:
        """One that is heard in the next turn."""
        return _SimulatedBell(self._ring)

    def end(self) -> list[Callable[[], None]]:
        """The replica's life is over; what was under way, to be done in part."""
        self._is_over = True
        left = [work.join for work in self._under_way if work.is_alive()]
        self._under_way = []
        return left

    def _finish(self, work: SimulatedWork) -> None:
        if not self._is_over:
            self._under_way.remove(work)
            work.join()

    def _ring(self) -> None:
        if not self._is_over:
            self._scheduler.after(0, self._heard)

    def _heard(self) -> None:
        if not self._is_over:
            self._notify()


class _SimulatedBell:
    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def sources(self) -> list[int]:
        return []

    def ring(self) -> None:
        self._ring()

    def silence(self) -> None:
        pass

    def close(self) -> None:
        pass
