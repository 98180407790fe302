"""What a node asks of the runtime, which performs the effects of one `Raft.handle` call in the order given."""

from __future__ import annotations

from msgspec import Struct

from psmr.core.raft.membership import Membership
from psmr.core.raft.messages import AppendEntries, Message
from psmr.core.raft.settings import Role

NOOP = b""
"""The payload of the entry that opens a leader's term: nothing to execute."""


class SaveHardState(Struct, frozen=True, gc=False):
    """Make term and vote durable before performing anything after it."""

    term: int
    voted_for: int | None


class Append(Struct, frozen=True, gc=False):
    """Write entries from `first_index` on; a sync may come later and is reported by `Synced`."""

    first_index: int
    entry_terms: tuple[int, ...]
    payloads: tuple[object, ...]


class Truncate(Struct, frozen=True, gc=False):
    """Drop every entry from `from_index` on; never a committed one.

    It need not be durable at once, but after a crash a dropped entry must not stand behind one appended later.
    """

    from_index: int


class Send(Struct, frozen=True, gc=False):
    """Send a message without payloads. It may be lost, repeated or overtaken."""

    to: int
    message: Message


class SendEntries(Struct, frozen=True, gc=False):
    """Send this header followed by the payloads of `message.first_index` to `message.last_index`, from the log."""

    to: int
    message: AppendEntries


class Commit(Struct, frozen=True, gc=False):
    """Every entry up to `index` is committed: it may be delivered, and stays for good."""

    index: int


class SendSnapshot(Struct, frozen=True, gc=False):
    """Offer a snapshot to `to`, which needs entries that are gone here. Repeated, a heartbeat apart, while it does.

    Whoever installs one builds its node anew, with a log that begins behind it. Its saved term is to be no smaller than
    the term of whoever sent it: leaders from before may lack what the snapshot holds.
    """

    to: int


class MembershipChanged(Struct, frozen=True, gc=False):
    """Another membership is in force: that of entry `index`, appended now, or in force again after a truncation."""

    index: int
    membership: Membership


class MembershipRefused(Struct, frozen=True, gc=False):
    """The last `ProposeMembership` was refused, and nothing appended; `reason` is a sentence with what to do."""

    reason: str


class RoleChanged(Struct, frozen=True, gc=False):
    """Role, term or known leader changed; `leader` is None while none is known."""

    role: Role
    term: int
    leader: int | None


class Rejected(Struct, frozen=True, gc=False):
    """The last `Propose`, of `count` payloads, was refused: this node does not lead. Nothing was appended."""

    count: int
    leader_hint: int | None


class ReadConfirmed(Struct, frozen=True, gc=False):
    """A replica that has delivered up to `index` has everything that was committed when `token` was asked for."""

    token: int
    origin: int
    index: int


class ReadRejected(Struct, frozen=True, gc=False):
    """This node does not lead, or no longer: ask the leader."""

    token: int
    origin: int


Effect = (
    SaveHardState
    | Append
    | Truncate
    | Send
    | SendEntries
    | Commit
    | SendSnapshot
    | MembershipChanged
    | MembershipRefused
    | RoleChanged
    | Rejected
    | ReadConfirmed
    | ReadRejected
)
