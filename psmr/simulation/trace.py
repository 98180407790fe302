"""What happened in a run: a digest always, and every step in words if asked for."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from struct import Struct

from psmr.core.raft import (
    Compacted,
    ConfirmRead,
    Effect,
    Event,
    Propose,
    ProposeMembership,
    Raft,
    Receive,
    Synced,
    Tick,
    Unreachable,
)

_STEP = Struct("<qqqqqqqq")
_KINDS: dict[type[Event], int] = {
    Tick: 0,
    Propose: 1,
    Receive: 2,
    Synced: 3,
    Unreachable: 4,
    ConfirmRead: 5,
    Compacted: 6,
    ProposeMembership: 7,
}


class Trace:
    """Collects the steps of a run; two runs with equal digests took the same steps at the same times."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._hash = blake2b(digest_size=8)

    @property
    def digest(self) -> str:
        """Of all steps so far, as 16 hexadecimal digits."""
        return self._hash.hexdigest()

    def step(self, now_us: int, replica: int, node: Raft, event: Event, effects: list[Effect]) -> None:
        """An event and what came of it; a tick that did nothing is no step."""
        if not effects and isinstance(event, Tick):
            return
        sender = event.sender if isinstance(event, Receive) else -1
        kind = _KINDS[type(event)]
        self._hash.update(
            _STEP.pack(now_us, replica, kind, sender, node.term, node.commit, node.last_index, len(effects))
        )
        if self._write is not None:
            self._write(f"{now_us:>9} µs  replica {replica}  {event}")
            for effect in effects:
                self._write(f"{'':>14}{effect}")

    def note(self, now_us: int, text: str) -> None:
        """Something the adversary did."""
        if self._write is not None:
            self._write(f"{now_us:>9} µs  {text}")
