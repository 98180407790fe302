"""What a node is told when it is built, and the names of its roles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from psmr.errors import ConfigurationError


class Role(Enum):
    """What a node is at the moment; a pre-candidate asks whether an election could be won before it starts one."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class HardState:
    """The term and the vote cast in it, as last saved; a node that forgot either could vote twice in a term."""

    term: int = 0
    voted_for: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Times and limits, alike on every replica.

    An election starts after between one and two `election_timeout_us` without a leader. `max_entries_in_flight` bounds
    what a leader sends ahead of what the follower has made durable, so it must cover a network round trip and a sync.
    `defer_us`: so long may followers wait that no commit waits for (`quorum.py`); 0: all hear of everything at once.
    """

    election_timeout_us: int = 300_000
    heartbeat_us: int = 50_000
    max_entries_per_message: int = 64
    max_entries_in_flight: int = 1024
    defer_us: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat_us < self.election_timeout_us:
            raise ConfigurationError(
                f"expected 0 < heartbeat_us < election_timeout_us, found {self.heartbeat_us} and "
                f"{self.election_timeout_us}; let several heartbeats fit into an election timeout"
            )
        if not 0 <= self.defer_us < self.heartbeat_us:
            raise ConfigurationError(
                f"expected 0 <= defer_us < heartbeat_us, found {self.defer_us} and {self.heartbeat_us}"
            )
        if not 0 < self.max_entries_per_message <= self.max_entries_in_flight:
            raise ConfigurationError(
                f"expected 0 < max_entries_per_message <= max_entries_in_flight, found "
                f"{self.max_entries_per_message} and {self.max_entries_in_flight}"
            )
