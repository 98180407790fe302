"""Crashes and partitions at random moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from psmr.simulation.conditions import Delay, Faults
from psmr.simulation.network import SimulatedNetwork
from psmr.simulation.scheduler import Scheduler

_LOOK_EVERY_US = 500


class Victim(Protocol):
    """What the adversary sees of a replica, and may do to it."""

    me: int
    incarnation: int

    @property
    def is_up(self) -> bool:
        """Whether it runs."""

    @property
    def leads(self) -> bool:
        """Whether it runs and believes that it leads."""

    @property
    def term(self) -> int:
        """The latest term that it knows of; 0 while it is down."""

    def start(self) -> None:
        """Start it from what its disk holds."""

    def crash(self) -> None:
        """Stop it at once."""

    def calm_down(self, sync: Delay) -> None:
        """From now on its disk takes no longer than `sync`."""


class Notes(Protocol):
    """Where the adversary writes down what it did."""

    def note(self, now_us: int, text: str) -> None:
        """One line."""


class Adversary:
    """Strikes every now and then until told to stop; leaders are its favourite victims."""

    def __init__(
        self,
        scheduler: Scheduler,
        random: Random,
        conditions: Faults,
        network: SimulatedNetwork,
        replicas: Sequence[Victim],
        trace: Notes,
    ) -> None:
        self._scheduler = scheduler
        self._random = random
        self._conditions = conditions
        self._network = network
        self._replicas = replicas
        self._trace = trace
        self._is_active = True
        self._hunted_term = 0
        self.crashes = 0
        self.restarts = 0
        self._plan()
        if conditions.hunt is not None:
            self._hunt(conditions.hunt)

    def stop(self) -> None:
        """Mend the network, start every replica that is down, and leave them alone."""
        self._is_active = False
        self._network.calm_down(self._conditions.calm)
        for replica in self._replicas:
            replica.calm_down(self._conditions.calm)
            self._restart(replica, replica.incarnation)
        self._trace.note(self._scheduler.now_us, "the network is mended and every replica is up")

    def _plan(self) -> None:
        self._scheduler.after(self._conditions.fault.draw_us(self._random), self._strike)

    def _strike(self) -> None:
        if not self._is_active:
            return
        self._random.choice(self._strikes())()
        self._plan()

    def _strikes(self) -> Sequence[Callable[[], None]]:
        """What a strike may be, the likelier ones more than once."""
        return (self._crash_one, self._crash_one, self._isolate, self._cut_one_way, self._split, self._network.mend)

    def _victim(self) -> Victim:
        leaders = [replica for replica in self._replicas if replica.leads]
        return self._random.choice(leaders if leaders and self._random.random() < 0.6 else self._replicas)

    def _hunt(self, delay: Delay) -> None:
        """See that every leader is cut off soon after its election, and the one before it comes back."""
        if not self._is_active:
            return
        for replica in self._replicas:
            # The term is asked for first: mostly it is the same as at the last look, and of a replica that is down it is 0.
            if replica.term > self._hunted_term and replica.leads:
                self._hunted_term = replica.term
                self._scheduler.after(delay.draw_us(self._random), self._depose, replica)
        self._scheduler.after(_LOOK_EVERY_US, self._hunt, delay)

    def _depose(self, leader: Victim) -> None:
        if not self._is_active:
            return
        if self._random.random() < 0.2:
            self._crash(leader)
        self._network.mend()
        self._cut_off([leader.me], both_ways=True)

    def _crash_one(self) -> None:
        self._crash(self._victim())

    def _crash(self, victim: Victim) -> None:
        if not victim.is_up or not self._is_active:
            return
        self.crashes += 1
        self._trace.note(self._scheduler.now_us, f"replica {victim.me} crashes")
        victim.crash()
        downtime_us = self._conditions.downtime.draw_us(self._random)
        self._scheduler.after(downtime_us, self._restart, victim, victim.incarnation)

    def _restart(self, replica: Victim, incarnation: int) -> None:
        if not replica.is_up and replica.incarnation == incarnation:
            self._trace.note(self._scheduler.now_us, f"replica {replica.me} restarts")
            self.restarts += 1
            replica.start()

    def _isolate(self) -> None:
        self._cut_off([self._victim().me], both_ways=True)

    def _cut_one_way(self) -> None:
        self._cut_off([self._victim().me], both_ways=False)

    def _split(self) -> None:
        members = [replica.me for replica in self._replicas]
        self._cut_off(self._random.sample(members, self._random.randrange(len(members))), both_ways=True)

    def _cut_off(self, inside: list[int], both_ways: bool) -> None:
        """Between `inside` and the others: nothing passes, or nothing in one direction."""
        outgoing = both_ways or self._random.random() < 0.5
        for replica in self._replicas:
            for one in inside:
                if replica.me not in inside:
                    if outgoing:
                        self._network.cut(one, replica.me)
                    if both_ways or not outgoing:
                        self._network.cut(replica.me, one)
        direction = "to and from" if both_ways else "from" if outgoing else "to"
        self._trace.note(self._scheduler.now_us, f"nothing passes {direction} {inside}")
