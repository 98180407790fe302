"""A simulated follower of events: the production `Following` over a simulated connection, begun anew every now and then."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import cast

from cdep import Service
from psmr.client.following import Following
from psmr.errors import ClusterUnavailable, EventsGone, Refused
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.cluster.invariants import FollowedOnce
from psmr.simulation.cluster.service import KeyValueService
from psmr.simulation.cluster.trace import ClusterTrace
from psmr.simulation.conditions import Delay
from psmr.simulation.scheduler import Scheduler

_SILENCE_US = 150_000
"""More than a replica lets somebody wait to whom it has nothing to say."""
_TIMEOUT_US = 300_000
_ANEW_RATE = 0.2
_CRASH_RATE = 0.02
_BEGIN_US_MAX = 400_000
_PAUSE_US = 1_000
_NEVER_US = 1 << 62


class Follower:
    """Follows, from some moment on, from the first event on; `followed` is told what it is given.

    `deliver(member, connection, frames)` reaches a replica; the connection is as that of `SimulatedClient`. Between any two
    events, and whenever it dials, it may crash: it goes on where it was, at any replica.
    """

    def __init__(
        self,
        me: int,
        replicas: int,
        scheduler: Scheduler,
        random: Random,
        conditions: ClusterConditions,
        trace: ClusterTrace,
        followed: FollowedOnce,
        deliver: Callable[[int, bytes, list[bytes]], None],
    ) -> None:
        self.me = me
        self._scheduler = scheduler
        self._random = random
        self._trace = trace
        self._followed = followed
        self._deliver = deliver
        self._delay: Delay = conditions.network
        self._drop_rate = conditions.drop_rate
        self._addresses = [f"sim://{member}" for member in range(replicas)]
        self._dials = 0
        self._member = 0
        self._free_us = {True: 0, False: 0}
        self._wake_us = _NEVER_US
        self._following = self._begun()
        self._wake_at(int(random.random() * _BEGIN_US_MAX))

    @property
    def position(self) -> int:
        """Behind the last event that it was given."""
        return self._followed.position(self.me)

    def calm_down(self, delay: Delay) -> None:
        """From now on nothing is lost, and nothing takes longer than `delay`."""
        self._delay, self._drop_rate = delay, 0.0

    @property
    def connection(self) -> bytes:
        """By which replicas know the connection of now."""
        return b"%d.%d" % (self.me, self._dials)

    def reply(self, connection: bytes, frames: list[bytes]) -> None:
        """A replica put a message on its way."""
        if self._random.random() >= self._drop_rate:
            self._scheduler.after(self._delay_us(outgoing=False), self._receive, connection, frames)

    def _begun(self) -> Following:
        service = cast(Service, KeyValueService())
        self._random.shuffle(self._addresses)
        return Following(service, self._addresses, self.position, None, _TIMEOUT_US, _SILENCE_US)

    def _turn(self) -> None:
        now_us = self._scheduler.now_us
        try:
            address = self._following.dial(now_us)
            if address is not None and self._random.random() < _ANEW_RATE:
                self._following = self._begun()
                address = self._following.dial(now_us)
        except EventsGone as gone:
            self._trace.note(now_us, f"follower {self.me}: {gone}")
            self._followed.gone(self.me, gone.earliest)
            self._begin_anew()
            return
        except (ClusterUnavailable, Refused) as failed:
            self._trace.note(now_us, f"follower {self.me}: {failed}")
            self._begin_anew()
            return
        if address is not None:
            self._dials += 1
            self._member = int(address.removeprefix("sim://"))
            self._trace.note(
                now_us, f"follower {self.me} dials replica {self._member} for events from {self.position} on"
            )
        for frames in self._following.outgoing(now_us):
            if self._random.random() >= self._drop_rate:
                delay_us = self._delay_us(outgoing=True)
                self._scheduler.after(delay_us, self._deliver, self._member, self.connection, frames)
        self._wake_at(max(self._following.due_us, now_us + 1))

    def _begin_anew(self) -> None:
        self._dials += 1
        self._following = self._begun()
        self._wake_at(self._scheduler.now_us + _PAUSE_US)

    def _wake_at(self, due_us: int) -> None:
        if due_us < self._wake_us:
            self._wake_us = due_us
            self._scheduler.after(due_us - self._scheduler.now_us, self._wake, due_us)

    def _wake(self, due_us: int) -> None:
        if due_us == self._wake_us:
            self._wake_us = _NEVER_US
            self._turn()

    def _receive(self, connection: bytes, frames: list[bytes]) -> None:
        if connection != self.connection:
            return
        self._following.receive(frames, self._scheduler.now_us)
        for event in self._following.take():
            self._followed.given(self.me, event)
            if self._random.random() < _CRASH_RATE:
                self._begin_anew()
                return
        self._turn()

    def _delay_us(self, *, outgoing: bool) -> int:
        """How long a message takes; none overtakes another in its direction."""
        arrives_us = max(self._scheduler.now_us + self._delay.draw_us(self._random), self._free_us[outgoing])
        self._free_us[outgoing] = arrives_us
        return arrives_us - self._scheduler.now_us
