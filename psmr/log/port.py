"""`OrderedLog`: what the engine needs of whatever orders its batches.

The port promises little, so that much can stand behind it: consensus with a leader or without, on this machine or elsewhere,
among crashing members or lying ones.

- `append` hands a payload in. It may come to be ordered once, several times, or never, at any time from then on; payloads
  may overtake each other. Exactly-once and a session's order are made above, at delivery.
- `committed` is the index up to which every replica reads the same entries for good. It never falls.
- Entries are numbered from 1 without gaps, and their stamps never go back. An entry holds any number of payloads, also
  none, each whole and unaltered, one behind the other: a payload must say itself where it ends.
- `confirm` asks where the log stands, and `take_confirmed` tells: whoever has everything up to that index has all that
  any member had called committed before the question was asked. It costs no entry.
- Nothing in an entry may be trusted: whoever delivers it checks it, alike on every replica.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Protocol

from msgspec import Struct


class Entry(Struct, frozen=True, gc=False):
    """One committed entry: its place, the stamp it was ordered with (microseconds since 1970), and its bytes."""

    index: int
    time_us: int
    payload: memoryview


class LogStatus(Struct, frozen=True, gc=False):
    """Where a log stands, for people: `leader` is None where there is none, or none is known.

    `malformed` counts messages that no member of the log sends and that were dropped.
    """

    role: str
    term: int
    leader: int | None
    last_index: int
    committed: int
    malformed: int = 0


class OrderedLog(Protocol):
    """An ordered log of payloads; driven by one thread, which calls `step` whenever a source is ready or time is up."""

    @property
    def committed(self) -> int:
        """The index of the newest committed entry; 0 when there is none."""

    def append(self, payload: bytes) -> None:
        """Hand in a payload to be ordered.

        Raises Refused when it cannot be taken now, InvalidCall when it is too large for an entry; nothing was done then.
        """

    def confirm(self, token: int) -> None:
        """Ask how far the log is committed now, wherever; the answer comes, with `token`, through `take_confirmed`.

        Raises Refused when nobody can be asked now.
        """

    def take_confirmed(self) -> list[tuple[int, int | None]]:
        """Answers since the last call: (token, index), or (token, None) when it got lost and must be asked again."""

    def read(self, first: int, max_bytes: int) -> Sequence[Entry]:
        """Committed entries from `first` on, whole, at least one if there is any, about `max_bytes` together."""

    def sources(self) -> Sequence[Any]:
        """File descriptors and zmq sockets; `step` is to be called when one is readable."""

    def step(self, now_us: int, ready: Container[Any] | None = None) -> int:
        """Do what there is to do; the time, on the same clock, by which to call again at the latest.

        `ready` says which of `sources` were found readable: the others are not looked at. None: all are.
        """

    def status(self) -> LogStatus:
        """Where the log stands."""

    def close(self) -> None:
        """Finish what is under way and let go of everything."""
