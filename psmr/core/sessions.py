"""Exactly once, decided at delivery: the part of the replicated state that remembers who has been executed.

Every replica feeds `Sessions` the same opens and submits in log order and so takes the same decisions, which no replica
may take where a batch comes in: only the log says what came before. A session is strictly first in, first out: the one
sequence it executes next is `last + 1`. What is older is a duplicate and gets the kept reply, what is newer is out of
order and is executed by nobody.

    sequence    1 … answered │ answered+1 … last │ last+1 │ last+2 …
    decision    Duplicate    │ Duplicate         │ Execute│ OutOfOrder(last+1)
    kept reply  gone         │ kept, or executing│        │

A kept reply goes when the client says that everything up to its sequence was answered. At most `kept_replies` are owed
to one session (a client whose window is no larger is never refused for it) and at most `capacity` sessions are
remembered: one more open evicts the session used least recently *in log order*; what comes from it later is `Unknown`.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, assert_never

import xxhash
from msgspec import Struct

from psmr.errors import Violation

CAPACITY: Final = 65_536
KEPT_REPLIES: Final = 1_024
OPENS_MAX: Final = 65_536
"""Batches in one log entry that may be opens: a session's id is `index * OPENS_MAX + ordinal`."""

_SESSION: Final = struct.Struct("<QQQ")
_REPLY: Final = struct.Struct("<QBQ")


class Open(Struct, frozen=True, gc=False):
    """The batch numbered `ordinal` of the log entry at `index` opens a session."""

    index: int
    ordinal: int


class Submit(Struct, frozen=True, gc=False):
    """A batch of commands was delivered."""

    session: int
    sequence: int
    answered: int


class Executed(Struct, frozen=True, gc=False):
    """A batch that was to `Execute` has been, with this reply."""

    session: int
    sequence: int
    reply: bytes


Event = Open | Submit | Executed


class Opened(Struct, frozen=True, gc=False):
    """A session exists from here on; `evicted` is the one that had to go for it."""

    session: int
    evicted: int | None


class Execute(Struct, frozen=True, gc=False):
    """Execute the batch, then report it as `Executed`."""


class Duplicate(Struct, frozen=True, gc=False):
    """Already delivered: send `reply`, if any.

    None with `executing`: the reply follows. None without: the client itself said that it was answered.
    """

    reply: bytes | None
    executing: bool


class OutOfOrder(Struct, frozen=True, gc=False):
    """Not executed: the session expects this sequence first."""

    expected: int


class Unknown(Struct, frozen=True, gc=False):
    """Not executed: no such session, or evicted."""


class Refused(Struct, frozen=True, gc=False):
    """Not executed: the session is owed `owed` replies, no more are kept."""

    owed: int


class Kept(Struct, frozen=True, gc=False):
    """The reply of an executed batch is kept for duplicates, unless it is already answered or its session is gone."""

    kept: bool


Decision = Opened | Execute | Duplicate | OutOfOrder | Unknown | Refused | Kept


class Remembered(Struct, frozen=True, gc=False):
    """One session between batches: `replies` are those of sequences `answered + 1` to `last`."""

    id: int
    last: int
    answered: int
    replies: tuple[bytes, ...]


@dataclass(slots=True)
class _Session:
    last: int = 0  # every sequence up to this one was delivered for execution, once
    answered: int = 0  # never above `last`
    replies: dict[int, bytes | None] = field(default_factory=dict)  # answered+1 … last, ascending; None: executing


class Sessions:
    """The replicated record of sessions: pure, and equal on every replica at one log position."""

    __slots__ = ("_capacity", "_kept_replies", "_newest", "_sessions")

    def __init__(self, capacity: int = CAPACITY, kept_replies: int = KEPT_REPLIES) -> None:
        self._capacity = capacity
        self._kept_replies = kept_replies
        self._sessions: OrderedDict[int, _Session] = OrderedDict()  # least recently used in log order first
        self._newest = -1  # id of the session opened last; ids only grow

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session: int) -> bool:
        return session in self._sessions

    def last(self, session: int) -> int | None:
        """Every sequence up to this one was delivered for execution; None for a session that is not known."""
        found = self._sessions.get(session)
        return None if found is None else found.last

    def handle(self, event: Event) -> Decision:
        """What to do about `event`. Opens and submits come in log order, each `Executed` any time after its submit."""
        if isinstance(event, Submit):
            return self._submit(event)
        if isinstance(event, Executed):
            return self._executed(event)
        if isinstance(event, Open):
            return self._open(event)
        assert_never(event)

    def remembered(self) -> tuple[int, list[Remembered]]:
        """The newest session's id, and all sessions, least recently used first; nothing delivered may still be executing."""
        return self._newest, [
            Remembered(identity, session.last, session.answered, tuple(_finished(session.replies)))
            for identity, session in self._sessions.items()
        ]

    def restore(self, newest: int, remembered: Iterable[Remembered]) -> None:
        """Become equal to those that `remembered` was said of; only while there are none."""
        if self._sessions or self._newest >= 0:
            raise Violation(f"sessions: expected none before they are restored, found {len(self._sessions)}")
        self._newest = newest
        for each in remembered:
            replies: dict[int, bytes | None] = dict(enumerate(each.replies, each.answered + 1))
            self._sessions[each.id] = _Session(each.last, each.answered, replies)

    def digest(self) -> int:
        """64 bits equal for equal state. Replicas compare it where nothing delivered is still executing."""
        digest = xxhash.xxh3_64()
        for identity, session in self._sessions.items():
            digest.update(_SESSION.pack(identity, session.last, session.answered))
            for sequence, reply in session.replies.items():
                content = 0 if reply is None else xxhash.xxh3_64_intdigest(reply)
                digest.update(_REPLY.pack(sequence, reply is not None, content))
        return digest.intdigest()

    def validate(self) -> None:
        """Raises `Violation` unless every invariant of the class holds."""
        if len(self._sessions) > self._capacity:
            raise Violation(f"expected at most {self._capacity} sessions, found {len(self._sessions)}")
        for identity, session in self._sessions.items():
            if identity > self._newest:
                raise Violation(f"session {identity}: expected an id up to {self._newest}, the newest")
            owed = list(range(session.answered + 1, session.last + 1))
            if not 0 <= session.answered <= session.last or list(session.replies) != owed:
                raise Violation(f"session {identity}: expected replies {owed}, found {list(session.replies)}")
            if len(owed) > self._kept_replies:
                raise Violation(f"session {identity}: expected at most {self._kept_replies} replies, found {len(owed)}")

    def _open(self, event: Open) -> Opened:
        if not 0 <= event.ordinal < OPENS_MAX:
            raise Violation(f"expected an ordinal below {OPENS_MAX}, found {event.ordinal}: too many batches an entry")
        identity = event.index * OPENS_MAX + event.ordinal
        if identity <= self._newest:
            raise Violation(f"expected a session id above {self._newest}, found {identity}: delivered twice?")
        evicted: int | None = None
        if len(self._sessions) >= self._capacity:
            evicted, _ = self._sessions.popitem(last=False)
        self._newest = identity
        self._sessions[identity] = _Session()
        return Opened(identity, evicted)

    def _submit(self, event: Submit) -> Decision:
        session = self._sessions.get(event.session)
        if session is None:
            return Unknown()
        self._sessions.move_to_end(event.session)
        _forget_answered(session, event.answered)
        sequence = event.sequence
        if sequence <= session.last:
            executing = sequence > session.answered and session.replies[sequence] is None
            return Duplicate(session.replies.get(sequence), executing)
        if sequence != session.last + 1:
            return OutOfOrder(session.last + 1)
        if len(session.replies) >= self._kept_replies:
            return Refused(len(session.replies))
        session.last = sequence
        session.replies[sequence] = None
        return Execute()

    def _executed(self, event: Executed) -> Kept:
        session = self._sessions.get(event.session)
        if session is None:
            return Kept(False)
        if event.sequence > session.last:
            raise Violation(
                f"session {event.session}: expected a delivered sequence up to {session.last}, found {event.sequence}"
            )
        if event.sequence <= session.answered:
            return Kept(False)
        if session.replies[event.sequence] is not None:
            raise Violation(f"session {event.session}: sequence {event.sequence} was executed twice")
        session.replies[event.sequence] = event.reply
        return Kept(True)


def _finished(replies: dict[int, bytes | None]) -> Iterator[bytes]:
    for sequence, reply in replies.items():
        if reply is None:
            raise Violation(f"sessions: expected nothing to be executing, found sequence {sequence} under way")
        yield reply


def _forget_answered(session: _Session, answered: int) -> None:
    """Drop the replies that the client has. It cannot have what was never executed, so a claim beyond `last` is cut."""
    answered = min(answered, session.last)
    while session.answered < answered:
        session.answered += 1
        del session.replies[session.answered]
