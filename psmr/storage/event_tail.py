"""The end of the newest file of events, on its way to the disk: past the page cache where much comes, at once where little does.

Events are the most that a replica writes, and nobody waits for their file. By way of the page cache they would take a new page for
every 4 KiB, and a page that was not used for long is dear: 1 to 2 µs, and up to 13 µs in a virtual machine whose host may have to
give it first. So a stream of events is gathered and a thread writes it, whole pages at a time, from memory that is used again and
again. What was taken last stays in memory until it is in the file and newer frames have come, for those who follow live.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from psmr.core.event_frame import FrameHead
from psmr.storage.files import Files, write_fully
from psmr.storage.gathered import Gathered

STREAM_BYTES = 16 << 10
"""So much of one turn is part of a stream, worth gathering."""
PIECE_BYTES = 1 << 20
HELD_BYTES_MAX = 8 << 20
"""What the thread has not taken in: who brings more waits for the disk."""
RECENT_BYTES = 4 << 20
TURNS_MAX = 64
"""After so many turns without events a stream has ended, and what is held is written."""

Frame = tuple[FrameHead, bytes]


class EventTail:
    """The file at `path`, open as `fd`, with `size_bytes` in it. One thread, the owner, calls this; every method raises OSError.

    `name`, of the thread that writes; there is none before it has something to do. `recent`: the frames in memory; without any, a
    turn without events has nothing to do here.
    """

    def __init__(self, files: Files, path: Path, fd: int, size_bytes: int) -> None:
        self._files = files
        self._fd = fd
        self._gathered = Gathered(files, path, fd)
        self._gathered.follow(size_bytes)
        self._end = size_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.recent: deque[tuple[FrameHead, bytes, int]] = deque()
        self._recent_bytes = 0
        self._turns = 0
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None
        self._failure: OSError | None = None

    def put(self, frames: Sequence[Frame]) -> None:
        """Take the frames of a turn, in order: in memory or in the file, and read by `read` while they are only in memory."""
        if not self._gathered.is_direct and not self._is_behind:
            write_fully(self._files, self._fd, [frame for _, frame in frames], self._end)
            self._end += sum(len(frame) for _, frame in frames)
            self.recent.clear()  # there is no way past the page cache any more; what is read without gaps is the file
            return
        before = self._end
        for head, frame in frames:
            self._end += len(frame)
            self.recent.append((head, frame, self._end))
            self._held.append(frame)
        self._held_bytes += self._end - before
        self._recent_bytes += self._end - before
        self._turns = 0
        if self._end - before < STREAM_BYTES:
            self.settle()
        elif self._held_bytes >= PIECE_BYTES and (self._is_idle or self._held_bytes >= HELD_BYTES_MAX):
            self._hand_over()
        self._let_go()

    def rest(self) -> None:
        """A turn without events."""
        if self._is_behind:
            self._turns += 1
            if self._turns >= TURNS_MAX:
                self.settle()

    def settle(self) -> None:
        """Have everything in the file."""
        self._wait()
        held, self._held, self._held_bytes = self._held, [], 0
        self._write(held, self._end - sum(map(len, held)), is_last=True)

    def read(self, position: int, bytes_max: int) -> bytes | None:
        """Frames from the one with the event at `position` on: about `bytes_max`, at least one; None where the file has it."""
        if not self.recent or position < self.recent[0][0].position:
            return None
        found: list[bytes] = []
        size_bytes = 0
        for head, frame, _ in self.recent:
            if head.end > position:
                size_bytes += len(frame)
                if found and size_bytes > bytes_max:
                    break
                found.append(frame)
        return b"".join(found)

    def close(self) -> None:
        """Let go of the thread and of all that is not in the file: `settle` before."""
        if self._thread is not None:
            self._thread.shutdown()
        self._gathered.close()

    @property
    def _is_idle(self) -> bool:
        return self._writing is None or self._writing.done()

    @property
    def _is_behind(self) -> bool:
        return self._gathered.in_file < self._end and bool(self.recent)

    def _hand_over(self) -> None:
        self._wait()
        held, size_bytes = self._held, self._held_bytes
        self._held, self._held_bytes = [], 0
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "event-writer")
        self._writing = self._thread.submit(self._write, held, self._end - size_bytes)

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()
        if self._failure is not None:
            raise self._failure

    def _write(self, frames: Sequence[bytes], offset: int, *, is_last: bool = False) -> None:
        try:
            for frame in frames:
                self._gathered.write(offset, frame)
                offset += len(frame)
            if is_last:
                self._gathered.settle()
        except OSError as error:
            self._failure = error  # for good: what follows has no place
            raise

    def _let_go(self) -> None:
        """Forget frames that are in the file, and not among the newest."""
        in_file = self._gathered.in_file
        while self._recent_bytes > RECENT_BYTES and self.recent[0][2] <= in_file:
            self._recent_bytes -= len(self.recent.popleft()[1])
