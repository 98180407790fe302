"""What goes into and comes out of `Submission`. Times are microseconds of one clock that never goes back."""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

from msgspec import Struct

from psmr.core.reply import Reply

TicketT = TypeVar("TicketT")
"""Whatever the caller tells one submission from another by."""


class Parts(Struct, frozen=True):
    """What a batch is encoded from, apart from its place in a session. Never changed once submitted."""

    records: bytes
    count: int
    blob: bytes

    @property
    def stride(self) -> int:
        """Bytes of a record; 0 of none."""
        return len(self.records) // self.count if self.count > 0 else 0

    @property
    def size_bytes(self) -> int:
        """Bytes of records and blob."""
        return len(self.records) + len(self.blob)


class FailureKind(enum.Enum):
    """Why a ticket failed, which is what its owner may conclude from it."""

    UNAVAILABLE = "unavailable"  # sent to nobody
    REFUSED = "refused"  # not executed, and will not be
    UNKNOWN = "unknown"  # executed or not, now or later
    INVALID = "invalid"  # the caller's fault; not executed
    MISMATCH = "mismatch"  # the cluster runs another version of the service; not executed


class Submit(Struct, Generic[TicketT], frozen=True):
    """The caller wants `parts` executed once, and wants an answer by `deadline_us`."""

    ticket: TicketT
    parts: Parts
    deadline_us: int
    now_us: int


class SubmitRead(Struct, Generic[TicketT], frozen=True):
    """As `Submit`, of parts whose commands only read: they may be executed again, and need no place in the log."""

    ticket: TicketT
    parts: Parts
    deadline_us: int
    now_us: int


class Connected(Struct, frozen=True):
    """A replica said welcome; nothing has been sent to it yet. It takes `window` batches in flight."""

    window: int
    now_us: int


class Disconnected(Struct, frozen=True):
    """The replica is no longer talked to."""


class ReplyReceived(Struct, frozen=True):
    """A reply arrived, of this session or of an earlier one."""

    reply: Reply
    now_us: int


class TimePassed(Struct, frozen=True):
    """It is `now_us`."""

    now_us: int


class Closed(Struct, frozen=True):
    """The caller is done: every ticket fails."""


Event = Submit[TicketT] | SubmitRead[TicketT] | Connected | Disconnected | ReplyReceived | TimePassed | Closed


class SendOpen(Struct, frozen=True):
    """Ask the connected replica for a session."""

    nonce: int


class SendBatch(Struct, frozen=True):
    """Send the connected replica a batch."""

    session: int
    sequence: int
    answered: int
    parts: Parts


class SendRead(Struct, frozen=True):
    """Send the connected replica a batch that only reads, to be executed after `sequence` (0: any) of the session."""

    session: int
    sequence: int
    number: int
    parts: Parts


class Resolve(Struct, Generic[TicketT], frozen=True):
    """The ticket's batch was executed, once, and this is its reply."""

    ticket: TicketT
    reply: Reply


class Fail(Struct, Generic[TicketT], frozen=True):
    """The ticket will not be answered."""

    ticket: TicketT
    kind: FailureKind
    text: str


class Rotate(Struct, frozen=True):
    """The replica made no progress for `silent_us`: connect to the next one. Nothing is sent until `Connected`."""

    silent_us: int


Effect = SendOpen | SendBatch | SendRead | Resolve[TicketT] | Fail[TicketT] | Rotate
