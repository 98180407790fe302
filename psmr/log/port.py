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
- Entries that a snapshot holds may go (`compact`); a member that lacks them is then brought up to date by a snapshot, and
  `step` says so by raising `SnapshotInstalled`: the member is to start again from what is on its disk.
- An entry may be the log's own, of no batches (`psmr.core.control`).
- Nothing in an entry may be trusted: whoever delivers it checks it, alike on every replica.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Protocol

from msgspec import Struct

from psmr.core.changes import Action
from psmr.core.divergence_messages import DivergenceMessage
from psmr.core.override import Override
from psmr.core.roster import Seat
from psmr.core.service_version import ServiceVersion


class Entry(Struct, frozen=True, gc=False):
    """One committed entry: its place, the stamp it was ordered with (microseconds since 1970), and its bytes."""

    index: int
    time_us: int
    payload: memoryview


class MemberStatus(Struct, frozen=True, gc=False):
    """A member, where clients reach it, whether it votes, and up to where a leader knows it to have the log (0: unknown)."""

    id: int
    clients: str
    votes: bool
    match_index: int


class News(Struct, frozen=True, gc=False):
    """What clients are told: the leader, if one is known, and where each member is reached by them."""

    leader: int | None
    clients: dict[int, str]


class LogStatus(Struct, frozen=True, gc=False):
    """Where a log stands, for people: `leader` is None where there is none, or none is known.

    `malformed` counts messages that no member of the log sends and that were dropped. `newest_version` is the index of the
    newest entry at which a version takes over, committed or not; 0 if the log began behind it. `members_since` is the index of the
    entry that put these members in force. `fetching`: log index, bytes held, bytes in all of a snapshot on its way here.
    """

    role: str
    term: int
    leader: int | None
    last_index: int
    committed: int
    malformed: int = 0
    first_index: int = 1
    newest_version: int = 0
    members: tuple[MemberStatus, ...] = ()
    members_since: int = 0
    fetching: tuple[int, int, int] | None = None


class Base(Struct, frozen=True, gc=False):
    """Where a log may begin: at an entry whose effects are in a snapshot. `about` is the log's own, bytes to others."""

    index: int
    term: int
    time_us: int
    about: bytes


class SnapshotInstalled(Exception):
    """A snapshot of another member is on this one's disk: it must start again from there, at `index`."""

    def __init__(self, index: int) -> None:
        super().__init__(f"a snapshot at log index {index} was fetched")
        self.index = index


class Said(Struct, frozen=True, gc=False):
    """A message of another member that is not about the order."""

    sender: int
    message: DivergenceMessage
    payloads: list[bytes]


class OrderedLog(Protocol):
    """An ordered log of payloads; driven by one thread, which calls `step` whenever a source is ready or time is up."""

    @property
    def committed(self) -> int:
        """The index of the newest committed entry; 0 when there is none."""

    @property
    def leader(self) -> int | None:
        """The member that leads, as far as this one knows; as `status` says, at less cost."""

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

    def base_at(self, index: int) -> Base:
        """What a snapshot at this committed index must remember of the log, so that it can begin there."""

    def compact(self, index: int) -> None:
        """A durable snapshot holds everything up to `index`: entries up to there need not be kept."""

    def change_members(self, action: Action, seat: Seat) -> None:
        """Have a member added, promoted or removed: under way when this returns, settled when `status` shows it committed.

        Raises Refused, with the reason, when that cannot be done by this member, or not now.
        """

    def take_over(self, version: ServiceVersion) -> None:
        """Order that `version` executes what is behind it; under way when this returns.

        Raises Refused when this member cannot do that, or not now.
        """

    def record(self, override: Override) -> None:
        """Order, if this member may, that the log says so, unless an entry says it already; nothing is said to whoever asks."""

    def take_news(self) -> News | None:
        """Who leads and where clients reach each member, when either has changed since the last call; None when not."""

    def say(self, member: int, message: DivergenceMessage, payloads: Sequence[bytes] = ()) -> bool:
        """Send another member a message that is not about the order; it may get lost. Whether it is on its way."""

    def take_said(self) -> list[Said]:
        """What other members have said, since the last call."""

    def sources(self) -> Sequence[Any]:
        """File descriptors; `step` is to be called when one is readable."""

    def step(self, now_us: int, ready: Container[Any] | None = None) -> int:
        """Do what there is to do; the time, on the same clock, by which to call again at the latest.

        `ready` says which of `sources` were found readable: the others are not looked at. None: all are.
        """

    def status(self) -> LogStatus:
        """Where the log stands."""

    def close(self) -> None:
        """Finish what is under way and let go of everything."""
