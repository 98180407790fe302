"""What a virtual cluster is like: settings, network and disks, the same for every seed."""

from __future__ import annotations

from psmr.client.settings import ClientSettings
from psmr.core.raft import Settings
from psmr.replica.snapshots import NEVER_BYTES
from psmr.simulation.cluster.conditions import ClusterConditions
from psmr.simulation.conditions import Delay
from psmr.testing.engines import SLOTS

CALL_US = 5_000_000
"""What a call has to be answered, in virtual time."""

CONDITIONS = ClusterConditions(
    settings=Settings(election_timeout_us=60_000, heartbeat_us=20_000, max_entries_per_message=8),
    client=ClientSettings(
        window_batches=4,
        timeout_us=CALL_US,
        retry_us=50_000,
        retry_us_max=200_000,
        ask_us=15_000,
        welcome_us=20_000,
        pause_us=2_000,
    ),
    clients=0,
    followers=0,
    keys=0,
    slots=SLOTS,
    turn_us=0,
    snapshot_bytes=NEVER_BYTES,
    part_bytes=1_000,
    retained_bytes=0,
    drop_rate=0.0,
    duplicate_rate=0.0,
    network=Delay(200, 2_000, 6_000),
    sync=Delay(100, 1_500, 6_000),
    execution=Delay(50, 2_000, 8_000),
    snapshot=Delay(100, 2_000, 6_000),
    think=Delay(0, 2_000, 10_000),
    fault=Delay(10_000, 60_000, 120_000),
    downtime=Delay(5_000, 60_000, 150_000),
    hunt=None,
    calm=Delay(100, 1_000, 5_000),
    plan=(),
    begin_us=0,
    chaos_us=0,
    recovery_us=0,
)
"""Messages overtake each other, and replies wait for disks; nothing is lost unless a test has it lost."""
