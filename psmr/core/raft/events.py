"""What happens to a node: the runtime hands these to `Raft.handle`, one at a time."""

from __future__ import annotations

from msgspec import Struct

from psmr.core.raft.membership import Membership
from psmr.core.raft.messages import Message


class Tick(Struct, frozen=True, gc=False):
    """The time is `now_us` on a clock that never goes back.

    The node knows no other time, so the runtime gives a tick before the other events of each wake-up, and at
    `Raft.next_deadline_us`. Early and repeated ticks cost little and do nothing.
    """

    now_us: int


class Propose(Struct, frozen=True, gc=False):
    """Append these payloads, in this order, if this node leads; otherwise `Rejected`.

    `forwarded_by`: the members that passed some of them on, and wait to answer.
    """

    payloads: tuple[object, ...]
    forwarded_by: tuple[int, ...] = ()


class ProposeMembership(Struct, frozen=True, gc=False):
    """Append `payload`, which says `membership` in the runtime's own way, if it may follow; else `MembershipRefused`.

    It is in force at once: `MembershipChanged`. A new voter must be a learner that has nearly all of the log.
    """

    membership: Membership
    payload: object


class Heard(Struct, frozen=True, gc=False):
    """Somebody is in `term`: this node is in no earlier one from now on.

    To be handed over before a snapshot of its is installed. What the snapshot holds was committed in that term at the latest;
    a leader of an earlier one must not take it for its own entries.
    """

    term: int


class ConfirmRead(Struct, frozen=True, gc=False):
    """Up to which index must a replica have delivered to read what is committed now?

    Answered by `ReadConfirmed` or `ReadRejected`, at once or later, with `token` and `origin` as they are here: they
    mean something to the runtime only.
    """

    token: int
    origin: int


class Receive(Struct, frozen=True, gc=False):
    """A message from another replica; `payloads` are those of an `AppendEntries`, one for each of its entry terms.

    `changes`: index and membership of each of these entries that carries one.
    """

    sender: int
    message: Message
    payloads: tuple[object, ...] = ()
    changes: tuple[tuple[int, Membership], ...] = ()


class Synced(Struct, frozen=True, gc=False):
    """The log is on disk up to `index`, whose entry had `term` when it was written.

    `truncations` is `Raft.truncations` as it was when the sync began. A notice from before the last truncation is
    ignored: the same index and term may have been appended again since, and need not be on disk yet. A runtime that
    drops such notices itself may leave it out.
    """

    index: int
    term: int
    truncations: int | None = None


class Compacted(Struct, frozen=True, gc=False):
    """The log forgot the entries up to `index`, at most the commit index: they are in a snapshot that is on disk."""

    index: int


class Unreachable(Struct, frozen=True, gc=False):
    """Messages to `peer` were lost: send no entries ahead of its answers until the next one. A hint; optional."""

    peer: int


Event = Tick | Propose | ProposeMembership | ConfirmRead | Receive | Heard | Synced | Compacted | Unreachable
