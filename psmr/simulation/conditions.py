"""What a simulated run is like: every rate and time, drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

from psmr.core.raft import Settings

_RARELY = 0.03


@dataclass(frozen=True, slots=True)
class Delay:
    """A random duration: mostly between `shortest_us` and `longest_us`, rarely up to `worst_us`."""

    shortest_us: int
    longest_us: int
    worst_us: int

    def draw_us(self, random: Random) -> int:
        """One duration."""
        draw, shortest_us = random.random, self.shortest_us
        if draw() < _RARELY:
            return shortest_us + int(draw() * (self.worst_us - shortest_us))
        return shortest_us + int(draw() * (self.longest_us - shortest_us))


class Faults(Protocol):
    """What the network and the adversary ask of a run's conditions."""

    @property
    def drop_rate(self) -> float:
        """Of messages, those that are lost."""

    @property
    def duplicate_rate(self) -> float:
        """Of messages, those that arrive twice."""

    @property
    def network(self) -> Delay:
        """How long a message is under way."""

    @property
    def fault(self) -> Delay:
        """The time between two strikes."""

    @property
    def downtime(self) -> Delay:
        """How long a replica that crashed stays down."""

    @property
    def hunt(self) -> Delay | None:
        """How soon after its election every leader is cut off, if at all."""

    @property
    def calm(self) -> Delay:
        """What network and disks take in the peace at the end."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """One run's settings, network, disks, clients and faults. Small limits make rare interleavings frequent.

    `hunt`: if not None, how soon after its election every leader is cut off: the way to the paper's figure 8.
    `calm`: what network and disks take in the peace at the end. `snapshot`, `change`: the time between two snapshots of a
    replica, between two changes of the members; None: there are none. `spares`: replicas that may join.
    """

    settings: Settings
    drop_rate: float
    duplicate_rate: float
    network: Delay
    sync: Delay
    propose: Delay
    read: Delay
    fault: Delay
    downtime: Delay
    hunt: Delay | None
    calm: Delay
    chaos_us: int
    recovery_us: int
    snapshot: Delay | None
    change: Delay | None
    spares: int

    @classmethod
    def drawn(cls, random: Random, snapshots_random: Random, changes_random: Random) -> Conditions:
        """The conditions that a seed's generators draw first."""
        change = changes_random.choice((None, Delay(2_000, 30_000, 60_000), Delay(10_000, 80_000, 200_000)))
        per_message = random.choice((1, 1, 2, 8))
        settings = Settings(
            election_timeout_us=random.choice((40_000, 60_000)),
            heartbeat_us=random.choice((10_000, 20_000)),
            max_entries_per_message=per_message,
            max_entries_in_flight=per_message * random.choice((1, 3, 8)),
            defer_us=random.choice((0, 2_000, 8_000)),
        )
        return cls(
            settings=settings,
            drop_rate=random.choice((0.0, 0.02, 0.1, 0.25)),
            duplicate_rate=random.choice((0.0, 0.02, 0.2)),
            network=Delay(200, random.choice((1_000, 4_000)), random.choice((4_000, 60_000))),
            sync=Delay(100, random.choice((1_000, 1_000, 6_000, 90_000)), 120_000),
            propose=Delay(1_000, random.choice((10_000, 40_000)), 80_000),
            read=Delay(500, 20_000, 60_000),
            fault=Delay(5_000, random.choice((60_000, 150_000, 300_000)), 400_000),
            downtime=Delay(1_000, random.choice((10_000, 100_000)), 300_000),
            hunt=random.choice((None, None, Delay(0, 1_500, 30_000), Delay(0, 12_000, 60_000))),
            calm=Delay(100, 1_000, 5_000),
            chaos_us=1_300_000,
            recovery_us=3_000_000,
            snapshot=snapshots_random.choice((None, Delay(5_000, 60_000, 200_000), Delay(20_000, 300_000, 400_000))),
            change=change,
            spares=0 if change is None else 2,
        )
