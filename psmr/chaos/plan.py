"""Which faults come when: pure, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

LEADER = "leader"
"""As a target: whichever replica leads when the fault is due."""
EVERYONE = "everyone"

LASTS_S = {
    "kill": (0.2, 2.0),
    "pause": (0.2, 2.0),
    "worker": (0.0, 0.0),
    "client": (0.0, 0.0),
    "partition": (0.5, 2.5),
    "mute": (0.5, 2.5),
    "deaf": (0.5, 2.5),
    "slow": (0.5, 2.5),
    "clock": (0.5, 2.5),
    "disk": (0.5, 2.0),
    "corrupt": (0.2, 0.5),
    "corrupt-snapshot": (0.2, 0.5),
    "away": (2.0, 5.0),
    "replace": (0.0, 0.0),
    "remove-leader": (0.0, 0.0),
    "roll": (0.0, 0.0),
    "outage": (0.1, 0.5),
}
"""The kinds of faults, and the shortest and the longest time that each holds on."""
KINDS = tuple(LASTS_S)
ALONE = frozenset({"corrupt", "corrupt-snapshot", "replace", "remove-leader", "roll", "outage"})
"""These need the other replicas to be well, or leave none."""
OF_EVERYONE = frozenset({"outage", "roll"})
SETTLE_S = 2.0
"""What a replica needs at least to start again and to catch up."""
WORKER_DEATHS_MAX = 4
WORKER_DEATHS_WITHIN_S = 300.0
"""A replica takes more deaths of workers in a row than that for a command that kills them, and gives up; so it should."""
_FIRST_AT_S = 0.5
_PAUSE_S = (0.2, 1.0)
_LEADER_SHARE = 0.65
_KILL_S = 0.8
_KILL_EVERY_S = 2.5


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that begins `at_s` seconds into the load, at the earliest, and holds on for `lasts_s`.

    `target` is LEADER, EVERYONE, or the place of a replica among those there are then (of a client, for the kind "client"),
    from 1.
    """

    at_s: float
    kind: str
    target: str
    lasts_s: float = 0.0

    @property
    def ends_s(self) -> float:
        """When all it touched should be well again."""
        return round(self.at_s + self.lasts_s + (0.0 if self.kind == "client" else SETTLE_S), 3)


def minority(replicas: int) -> int:
    """How many of that many may fail at once."""
    return (replicas - 1) // 2


def plan(seed: int, seconds: float, replicas: int, kinds: Sequence[str] = KINDS) -> list[Fault]:
    """Faults for that time, in the order of their beginnings; never more replicas than a minority at fault at once.

    Outages of all are the exception: they are short, and nothing else is at fault meanwhile. Every kind comes once before any
    comes twice, as far as the time suffices.
    """
    random = Random(seed)
    faults: list[Fault] = []
    under_way: list[Fault] = []
    deaths_s: list[float] = []  # of workers
    deck: list[str] = []
    at_s = _FIRST_AT_S
    while at_s < seconds:
        deck = deck or random.sample(list(kinds), len(kinds))
        kind = deck.pop()
        lasts_s = random.uniform(*LASTS_S[kind])
        at_s = _place(under_way, at_s, kind, replicas)
        under_way = [fault for fault in under_way if fault.ends_s > at_s]
        fault = Fault(round(at_s, 3), kind, _target(random, under_way, kind, replicas), round(lasts_s, 3))
        if fault.ends_s <= seconds and not _too_many_workers_die(deaths_s, fault):
            faults.append(fault)
            under_way.append(fault)
            if kind == "worker":
                deaths_s.append(fault.at_s)
        at_s += random.uniform(*_PAUSE_S)
    return faults


def leader_kills(count: int) -> list[Fault]:
    """The leader killed so many times in a row, started again each time before the next one's turn."""
    return [Fault(_FIRST_AT_S + number * _KILL_EVERY_S, "kill", LEADER, _KILL_S) for number in range(count)]


def _place(faults: Sequence[Fault], at_s: float, kind: str, replicas: int) -> float:
    """The earliest time from `at_s` on at which the fault leaves a majority well, with those that may be under way then."""
    if kind == "client":
        return max([at_s, *(fault.ends_s for fault in faults if fault.kind in ALONE)])
    while True:
        active = [fault for fault in faults if fault.ends_s > at_s and fault.kind != "client"]
        is_alone = kind in ALONE or any(fault.kind in ALONE for fault in active)
        if len(active) < (1 if is_alone else minority(replicas)):
            return at_s
        at_s = min(fault.ends_s for fault in active)


def _target(random: Random, under_way: Sequence[Fault], kind: str, replicas: int) -> str:
    if kind in OF_EVERYONE:
        return EVERYONE
    if kind == "remove-leader":
        return LEADER
    taken = {fault.target for fault in under_way if fault.kind != "client"}
    free = [str(number) for number in range(1, replicas + 1) if kind == "client" or str(number) not in taken]
    chosen = random.choice(free)
    return LEADER if random.random() < _LEADER_SHARE and kind != "client" else chosen


def _too_many_workers_die(deaths_s: Sequence[float], fault: Fault) -> bool:
    since_s = fault.at_s - WORKER_DEATHS_WITHIN_S
    before = sum(1 for at_s in deaths_s[-WORKER_DEATHS_MAX:] if at_s > since_s)
    return fault.kind == "worker" and before >= WORKER_DEATHS_MAX
