"""A client's connection in virtual time: the production conversation, with its window, retries and rerouting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from psmr.client.conversation import Conversation
from psmr.client.settings import ServiceIdentity
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.conditions import Delay
from psmr.simulation.scheduler import Scheduler

_NEVER_US = 1 << 62


class SimulatedConnection:
    """Talks to one replica at a time; `deliver(member, connection, frames)` reaches it.

    A connection keeps the order of what it carries and repeats nothing, as TCP does; it may lose anything. `connection`: by which
    replicas know the one of now.
    """

    def __init__(
        self,
        me: int,
        addresses: Sequence[str],
        service: ServiceIdentity,
        scheduler: Scheduler,
        random: Random,
        conditions: ClusterConditions,
        deliver: Callable[[int, bytes, list[bytes]], None],
    ) -> None:
        self.me = me
        self._scheduler = scheduler
        self._random = random
        self._conditions = conditions
        self._deliver = deliver
        self._delay: Delay = conditions.network
        self._drop_rate = conditions.drop_rate
        self._dials = 0
        self.connection = b"%d.0" % me
        self._member = 0
        self._free_us = [0, 0]
        self._wake_us = _NEVER_US
        self._conversation = Conversation(self, service, addresses, conditions.client, self._draw_nonce)
        self._conversation.start(scheduler.now_us)

    def dial(self, address: str) -> None:
        """Talk to another replica: a new connection."""
        self._dials += 1
        self.connection = b"%d.%d" % (self.me, self._dials)
        self._member = int(address.removeprefix("sim://"))

    def transmit(self, frames: list[bytes]) -> None:
        """Put a message on its way to the replica dialled last."""
        if self._random.random() >= self._drop_rate:
            delay_us = self._delay_us(outgoing=True)
            self._scheduler.after(delay_us, self._deliver, self._member, self.connection, frames)

    def reply(self, connection: bytes, frames: list[bytes]) -> None:
        """A replica put a message on its way."""
        if self._random.random() >= self._drop_rate:
            self._scheduler.after(self._delay_us(outgoing=False), self._receive, connection, frames)

    def _draw_nonce(self) -> int:
        return int(self._random.random() * 2**62)

    def _delay_us(self, *, outgoing: bool) -> int:
        """How long a message takes; none overtakes another in its direction."""
        now_us = self._scheduler.now_us
        arrives_us = now_us + self._delay.draw_us(self._random)
        if arrives_us < self._free_us[outgoing]:
            arrives_us = self._free_us[outgoing]
        self._free_us[outgoing] = arrives_us
        return arrives_us - now_us

    def _receive(self, connection: bytes, frames: list[bytes]) -> None:
        if connection == self.connection:
            self._conversation.receive(frames, self._scheduler.now_us)
            self._arm()

    def _arm(self) -> None:
        due_us = self._conversation.next_timer_us
        if due_us is not None and due_us < self._wake_us:
            self._wake_us = max(due_us, self._scheduler.now_us)
            self._scheduler.after(self._wake_us - self._scheduler.now_us, self._wake, self._wake_us)

    def _wake(self, due_us: int) -> None:
        if due_us == self._wake_us:
            self._wake_us = _NEVER_US
            self._conversation.pass_time(self._scheduler.now_us)
            self._arm()
