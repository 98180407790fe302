"""What an invariant may look at of a replica."""

from __future__ import annotations

from typing import Protocol

from psmr.core.divergence import Difference
from psmr.log.raft_log import RaftLog
from psmr.replica.delivery import Delivery
from psmr.replica.event_stream import EventStream
from psmr.replica.replica import Replica
from psmr.simulation.cluster.disk import SimulatedStore
from psmr.simulation.cluster.engine import SequentialEngine


class Observed(Protocol):
    """A replica that may be down."""

    me: int
    incarnation: int
    store: SimulatedStore
    engine: SequentialEngine
    log: RaftLog
    events: EventStream
    delivery: Delivery
    replica: Replica | None
    has_parted: bool

    @property
    def suspects(self) -> list[Difference]:
        """The replicas that it takes for different; none while it is down."""

    @property
    def leads(self) -> bool:
        """Whether it runs and believes that it leads."""

    @property
    def is_idle(self) -> bool:
        """Whether everything delivered was executed and collected."""

    @property
    def delivered(self) -> int:
        """How far it has delivered the log."""
