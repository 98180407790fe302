"""What a run of the whole path is like: every rate and time, drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from psmr.client.settings import ClientSettings
from psmr.core.raft import Settings
from psmr.replica.snapshots import NEVER_BYTES
from psmr.simulation.cluster.divergences import DigestConditions
from psmr.simulation.conditions import Delay

_PLANS = ("",) * 7 + (
    "add",
    "add remove away",
    "remove away",
    "remove add away",
    "lose add",
    "spoil",
    "spoil add",
    "upgrade",
    "upgrade",
)
_PLANS_OF_FEW = ("", "add")


@dataclass(frozen=True, slots=True)
class ClusterConditions:
    """One run's settings, network, disks, clients and faults. A schedule is short; small limits make it eventful.

    `slots`: batches that an engine takes. `turn_us`: how long a turn of a replica's loop takes; what arrives meanwhile waits.
    `snapshot_bytes`: of log between two snapshots, each fetched by parts of `part_bytes`; so much
    log is kept for those that lag behind: `retained_bytes`. `calm`: what network and disks take in the peace at the end.
    `plan`: what the operator does, from `begin_us` on. `digests`: of replicas that tell each other what their commands did, if
    they do.
    """

    settings: Settings
    client: ClientSettings
    clients: int
    followers: int
    keys: int
    slots: int
    turn_us: int
    snapshot_bytes: int
    part_bytes: int
    retained_bytes: int
    drop_rate: float
    duplicate_rate: float
    network: Delay
    sync: Delay
    execution: Delay
    snapshot: Delay
    think: Delay
    fault: Delay
    downtime: Delay
    hunt: Delay | None
    calm: Delay
    plan: tuple[str, ...]
    begin_us: int
    chaos_us: int
    recovery_us: int
    digests: DigestConditions | None = None

    @classmethod
    def drawn(cls, random: Random, replicas: int, digests_random: Random) -> ClusterConditions:
        """The conditions that a seed's generators draw first."""
        plan = tuple(random.choice(_PLANS if replicas > 2 else _PLANS_OF_FEW).split())
        digests = DigestConditions.drawn(digests_random, replicas, plan)
        per_message = random.choice((1, 2, 8))
        settings = Settings(
            election_timeout_us=random.choice((40_000, 60_000)),
            heartbeat_us=random.choice((15_000, 25_000)),
            max_entries_per_message=per_message,
            max_entries_in_flight=per_message * random.choice((1, 4)),
            defer_us=random.choice((0, 2_000, 8_000)),
        )
        client = ClientSettings(
            window_batches=random.choice((1, 2, 4)),
            timeout_us=random.choice((150_000, 500_000)),
            retry_us=random.choice((20_000, 50_000)),
            retry_us_max=100_000,
            ask_us=random.choice((5_000, 15_000, 60_000)),
            welcome_us=random.choice((10_000, 40_000)),
            pause_us=2_000,
            prefer_leader=random.random() < 0.7,
            reads_in_log=random.random() < 0.2,
        )
        return cls(
            settings=settings,
            client=client,
            clients=random.choice((2, 3)),
            followers=random.choice((0, 1, 1, 2)),
            keys=random.choice((1, 3)),
            slots=random.choice((1, 4)),
            turn_us=random.choice((0, 500, 2_000)),
            snapshot_bytes=random.choice((300, 500) if {"spoil", "away"} & {*plan} else (NEVER_BYTES, 500, 2_000)),
            part_bytes=random.choice((1_500, 6_000)),
            retained_bytes=random.choice((0, 4_000)),
            drop_rate=random.choice((0.0, 0.02, 0.1)),
            duplicate_rate=random.choice((0.0, 0.02, 0.2)),
            network=Delay(200, random.choice((1_000, 3_000)), random.choice((4_000, 40_000))),
            sync=Delay(100, random.choice((1_000, 4_000, 30_000)), 90_000),
            execution=Delay(50, random.choice((500, 8_000)), 20_000),
            snapshot=Delay(100, random.choice((2_000, 30_000)), 90_000),
            think=Delay(4_000, random.choice((40_000, 80_000)), 120_000),
            fault=Delay(5_000, random.choice((60_000, 120_000)), 200_000),
            downtime=Delay(1_000, random.choice((10_000, 60_000)), 150_000),
            hunt=random.choice((None, None, Delay(0, 3_000, 40_000), Delay(0, 25_000, 60_000))),
            calm=Delay(100, 1_000, 5_000),
            plan=plan,
            begin_us=int(random.random() * 200_000),
            chaos_us=400_000,
            recovery_us=20_000_000,
            digests=digests,
        )
