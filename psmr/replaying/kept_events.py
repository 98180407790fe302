"""The events that a replica has kept in its folder: what its handlers did say, whatever replay makes of its log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from psmr.core.event_frame import FrameHead, MalformedFrame, frames
from psmr.replaying.folder import ReplicaFolder, bytes_of
from psmr.storage.event_log import HEADER_BYTES, file_header

BatchEvents = dict[tuple[int, int], bytes]
"""By session and sequence, the records of the events of each batch that emitted any."""


class KeptEvents:
    """Entry by entry, in log order. Known of entries between the first and the last that kept events tell of, not of these two:
    what is removed and what is being written may cut an entry's events."""

    def __init__(self, folder: ReplicaFolder, fingerprint: int) -> None:
        self._entries = self._whole(folder, fingerprint)
        self._is_first = True
        self._next = next(self._entries, None)

    def of(self, index: int) -> BatchEvents | None:
        """Those of an entry, None where it is not known; ask for entries in order."""
        while self._next is not None and self._next[0] < index:
            self._next, self._is_first = next(self._entries, None), False
        if self._next is None or (self._is_first and self._next[0] > index):
            return None
        return self._next[1] if self._next[0] == index else {}

    def _whole(self, folder: ReplicaFolder, fingerprint: int) -> Iterator[tuple[int, BatchEvents]]:
        before: tuple[int, BatchEvents] | None = None
        is_whole = False
        for index, kept in groupby(_frames_in(folder), key=lambda frame: frame[0].index):
            events: BatchEvents = {}
            is_own = True
            for head, content in kept:
                batch = (head.session, head.sequence)
                events[batch] = events.get(batch, b"") + content
                is_whole = is_whole or head.position == 0
                is_own = is_own and head.fingerprint == fingerprint
            if before is not None:
                yield before
            before = (index, events) if is_whole and is_own else None
            is_whole = True


def _frames_in(folder: ReplicaFolder) -> Iterator[tuple[FrameHead, bytes]]:
    """All that are kept, up to where no whole one follows."""
    position: int | None = None
    for path in sorted((folder.path / "events").glob("events-*.evt")):
        data = memoryview(bytes_of(path, "file of events"))
        first = int(path.stem.removeprefix("events-"))
        if bytes(data[:HEADER_BYTES]) != file_header(folder.identity.cluster_id, first):
            return
        try:
            for head, content in frames(data[HEADER_BYTES:]):
                if position not in (None, head.position):
                    return
                position = head.end
                yield head, bytes(content)
        except MalformedFrame:
            return
