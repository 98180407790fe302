"""What happened in a run of the whole path: a digest always, and in words if asked for."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from psmr.core.raft import RoleChanged


class ClusterTrace:
    """Collects what arrived where and what became of it; runs with equal digests took the same steps at the same times."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._hash = blake2b(digest_size=8)

    @property
    def digest(self) -> str:
        """Of everything so far, as 16 hexadecimal digits."""
        return self._hash.hexdigest()

    def message(self, now_us: int, to: int, sender: int, message: Any) -> None:
        """A message between replicas arrived."""
        self._hash.update(b"%d %d %d" % (now_us, to, sender))
        if self._write is not None:
            said = "forwarded batches" if message is None else str(message)
            self._write(f"{now_us:>9} µs  replica {to} hears from {sender}: {said}")

    def role(self, now_us: int, replica: int, change: RoleChanged) -> None:
        """A replica's role, term or known leader changed."""
        self._hash.update(b"%d %d %d" % (now_us, replica, change.term))
        if self._write is not None:
            leader = "no leader known" if change.leader is None else f"leader {change.leader}"
            self._write(f"{now_us:>9} µs  replica {replica} is {change.role.value} in term {change.term}, {leader}")

    def note(self, now_us: int, text: str) -> None:
        """Something that a client or the adversary did, or that became of a command."""
        self._hash.update(b"%d " % now_us + text.encode())
        if self._write is not None:
            self._write(f"{now_us:>9} µs  {text}")
