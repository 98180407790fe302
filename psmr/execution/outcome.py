"""What the engine keeps of a batch while it is executed, and what it says of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from psmr.core.width import Choices


class Executed(Struct, frozen=True, gc=False):
    """A batch's reply: `reply` is the whole of it, header included; `is_read` as the batch was offered.

    `digest`: of what its commands did (`psmr.execution.digesting`), `count` of them; 0 for reads, and where none are wanted.
    `events`: the records of the `event_count` events that its commands have emitted, in the order of its rows.
    """

    session: int
    sequence: int
    reply: bytes
    is_read: bool = False
    events: bytes = b""
    event_count: int = 0
    digest: int = 0
    count: int = 0


@dataclass(slots=True)
class Slot:
    """A batch on its way: what its reply and events need to know of it."""

    session: int
    sequence: int
    count: int
    synchronous: int
    alone: bool
    is_read: bool
    places: Any = None
    """Which row of the batch each row of the slot is, where they are executed in another order."""

    def done(self, reply: bytes, digest: int, events: bytes, event_count: int) -> Executed:
        """What became of it."""
        return Executed(self.session, self.sequence, reply, self.is_read, events, event_count, digest, self.count)


class Counters(Struct, frozen=True, gc=False):
    """What the workers have done since they started; one entry a worker."""

    commands: tuple[int, ...]
    synchronous: tuple[int, ...]
    run_on: tuple[int, ...]
    synchronous_commands: int
    choices: Choices
    rounds: tuple[int, ...]
    waited: tuple[int, ...]
    """Of a service with early stages: rounds that each has met in, and early stages that had to wait for what is before them."""
