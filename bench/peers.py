"""What would one use instead, and how fast is that? The same key-value work on this engine and on its peers, in one run.

All writes: 32-byte values under 16-byte keys, 100,000 of them; three replicas each on this machine's loopback, set up as
their own documents advise, the client at the leader. What of them is installed is measured, in rounds: each run has servers of
its own, and a machine that is busy for a while is so for all. Clients are as cheap as could be made, so that servers are
compared: encoded beforehand and sent over plain sockets where the peer's library costs more than its server. After each run a
sample of the keys is read back, elsewhere than at the leader where that can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from bench import _peers_engine, _peers_etcd, _peers_nats, _peers_pysyncobj, _peers_redis
from bench._machine import machine
from bench._peers_measure import Entry, Outcome, Plan, round_of, row_of
from bench._peers_report import compared, peers_plots, peers_table, setups, targets
from bench._plot import Plot

QUESTION = "what would one use instead, and how fast is that?"
PEERS: tuple[ModuleType, ...] = (_peers_engine, _peers_redis, _peers_etcd, _peers_nats, _peers_pysyncobj)


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Every entry of every peer in each round; a shortened benchmark has one round and leaves some out."""
    plan, rounds = (Plan(0.5, 0.1, say), 1) if quick else (Plan(2.0, 0.4, say), 3)
    entries = {peer: [entry for entry in peer.ENTRIES if entry.in_quick or not quick] for peer in PEERS}
    outcomes: dict[Entry, list[Outcome]] = {entry: [] for peer in PEERS for entry in entries[peer]}
    for _ in range(rounds):
        for peer in PEERS:
            for entry, outcome in zip(entries[peer], round_of(peer, plan, entries[peer]), strict=True):
                outcomes[entry].append(outcome)
    rows = compared([row_of(entry, found) for entry, found in outcomes.items()], _peers_engine.SYSTEM)
    return {
        "bench": "peers",
        "question": QUESTION,
        "machine": machine(),
        "rows": rows,
        "targets": targets(rows, _peers_engine.SYSTEM),
    }


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows for people: the first is the heading."""
    return peers_table(result["rows"])


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """What was to be reached, and how each system was set up."""
    rows: list[tuple[str, ...]] = [("this engine against", "to reach", "found")]
    rows += [
        (one["against"], f"{one['factor']:g} ×", "not measured" if one["found"] is None else f"{one['found']:.1f} ×")
        for one in result["targets"]
    ]
    return {"What was to be reached": rows, "How each was set up": setups(result["rows"])}


def plots(result: dict[str, Any]) -> list[Plot]:
    """Commands a second over latency, of what goes in batches and of what goes one by one."""
    return peers_plots(result["rows"])


def passed(result: dict[str, Any]) -> bool:
    """Whether everything that is installed ran, and held what had been written."""
    states = {row["state"] for row in result["rows"]}
    return "failed" not in states and not any(row.get("complaint") for row in result["rows"])
