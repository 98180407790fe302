"""An event has one position, for ever: the stream is the log's alone, the same on every replica and after every start.

What a replica keeps of it in files, a crash does not take: what lies before a snapshot was synced, the rest is made again.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from psmr.core.event_format import records
from psmr.core.event_frame import frames
from psmr.execution.outcome import Executed
from psmr.simulation.cluster.invariants.observed import Observed
from psmr.simulation.invariants import InvariantViolated

_READ_BYTES = 1 << 16


class Emitted(Struct, frozen=True, gc=False):
    """Where an event came from, which version emitted it, and its bytes."""

    index: int
    session: int
    sequence: int
    fingerprint: int
    record: bytes


class OnePosition:
    """`stream`: every event, at its position, as it was first emitted anywhere."""

    def __init__(self) -> None:
        self.stream: list[Emitted] = []
        self._earliest: dict[int, int] = {}

    def started(self, replica: Observed, *, has_fetched: bool) -> None:
        """A replica has opened its event files; `has_fetched`: it begins with another's snapshot."""
        log = replica.events.log
        assert log is not None
        known = self._earliest.get(replica.me, 0)
        if log.earliest != known and not (has_fetched and log.earliest == replica.events.position):
            raise InvariantViolated(
                "an event has one position",
                f"expected replica {replica.me} to keep events from {known} on after its start, found {log.earliest}",
            )
        self._earliest[replica.me] = log.earliest

    def emitted(self, replica: int, position: int, index: int, executed: Executed, fingerprint: int) -> None:
        """A replica took the events of a batch, the first of them at `position`."""
        stream, view = self.stream, executed.events
        for _, _, place in records(view):
            length = int.from_bytes(view[place + 2 : place + 4], "little")
            found = Emitted(index, executed.session, executed.sequence, fingerprint, view[place : place + length])
            if position == len(stream):
                stream.append(found)
            elif position > len(stream) or stream[position] != found:
                raise InvariantViolated(
                    "an event has one position",
                    f"expected replica {replica} to emit at position {position} what another did"
                    f"{self._known(position)}; found {found}",
                )
            position += 1

    def check_all(self, replicas: Iterable[Observed]) -> None:
        """The files of each hold the stream up to its end."""
        for one in replicas:
            log = one.events.log
            assert log is not None
            position = log.earliest
            if log.end != len(self.stream) or log.written != log.end:
                raise InvariantViolated(
                    "an event has one position",
                    f"expected replica {one.me} to have written {len(self.stream)} events, found {log.written}",
                )
            while position < log.written:
                position = self._check(one.me, position, log.read(position, _READ_BYTES))

    def _check(self, replica: int, position: int, data: bytes | None) -> int:
        """The position behind what was read; where a file was only looked through, the same."""
        for head, events in frames(data or b""):
            for offset, (_, _, place) in enumerate(records(events)):
                at, known = head.position + offset, self.stream[position]
                record = events[place : place + len(known.record)]
                found = Emitted(head.index, head.session, head.sequence, head.fingerprint, bytes(record))
                if at != position or found != known:
                    raise InvariantViolated(
                        "an event has one position",
                        f"expected in the files of replica {replica}, at position {position}, {known}; found at "
                        f"{at} {found}",
                    )
                position += 1
        return position

    def _known(self, position: int) -> str:
        return (
            f", {self.stream[position]}" if position < len(self.stream) else f": none so far from {len(self.stream)} on"
        )
