"""What the clients of a demonstration saw: one record a batch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch that a client sent. `reply` is the whole reply, or None when the outcome stayed unknown.

    `client` is a session: a client that had to open a new one counts as another.
    """

    client: int
    invoked_us: int
    returned_us: int | None
    records: bytes
    blob: bytes
    count: int
    reply: bytes | None
