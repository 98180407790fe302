"""A network that loses, repeats, delays and reorders messages, and can be cut in one direction."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from psmr.simulation.conditions import Delay, Faults
from psmr.simulation.scheduler import Scheduler

Deliver = Callable[[int, int, Any, tuple[Any, ...]], None]


class SimulatedNetwork:
    """Calls `deliver(to, sender, message, payloads)` some time after `send`, or never, or twice.

    `severed`: the links (sender, to) that are cut. Whether one is, is asked when a message arrives: a partition also catches what
    is under way.
    """

    def __init__(self, scheduler: Scheduler, random: Random, conditions: Faults, deliver: Deliver) -> None:
        self._after = scheduler.after
        self._random = random
        self._draw = random.random
        self._delay = conditions.network
        self._drop_rate = conditions.drop_rate
        self._duplicate_rate = conditions.duplicate_rate
        self._deliver = deliver
        self.severed: set[tuple[int, int]] = set()

    def send(self, sender: int, to: int, message: object, payloads: tuple[Any, ...] = ()) -> None:
        """Put a message on its way."""
        draw = self._draw
        if draw() < self._drop_rate:
            return
        self._after(self._delay.draw_us(self._random), self._arrive, to, sender, message, payloads)
        if draw() < self._duplicate_rate:
            self._after(self._delay.draw_us(self._random), self._arrive, to, sender, message, payloads)

    def cut(self, sender: int, to: int) -> None:
        """Lose everything from `sender` to `to` until the network is mended."""
        self.severed.add((sender, to))

    def mend(self) -> None:
        """Restore every link."""
        self.severed.clear()

    def calm_down(self, delay: Delay) -> None:
        """From now on lose and repeat nothing, and take no longer than `delay`."""
        self.mend()
        self._delay = delay
        self._drop_rate = self._duplicate_rate = 0.0

    def _arrive(self, to: int, sender: int, message: object, payloads: tuple[Any, ...]) -> None:
        if (sender, to) not in self.severed:
            self._deliver(to, sender, message, payloads)
