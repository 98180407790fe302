"""Messages of frames in a stream of bytes, as replicas send them to each other. Pure.

connection: PREAMBLE, then messages
message:    ┌──────────────┬───────────────────────────┬────────┬─────┐
            │ n frames u32 │ n times u32: bytes of one │ frames │ ... │
            └──────────────┴───────────────────────────┴────────┴─────┘
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

PREAMBLE: Final = b"PSMRpeer"
FRAMES_MAX: Final = 1 << 16
MESSAGE_BYTES_MAX: Final = 288 << 20
_COUNT: Final = struct.Struct("<I")


class MalformedStream(ValueError):
    """What arrives is no stream of messages: nothing behind it can be told apart. Hang up."""


def encode_head(frames: Sequence[Any]) -> bytes:
    """What goes before the frames of a message: buffers of bytes."""
    return struct.pack(f"<{1 + len(frames)}I", len(frames), *map(len, frames))


class FrameReader:
    """Takes a stream's bytes in as they come; gives the messages that are complete."""

    __slots__ = ("_greeted", "_rest", "_wanted")

    def __init__(self) -> None:
        self._greeted = False
        self._rest = bytearray()  # of what is not complete
        self._wanted = 0  # bytes, from the beginning of the rest, without which it stays incomplete

    def feed(self, data: memoryview) -> list[list[bytes]]:
        """The messages that these bytes complete, oldest first. Raises `MalformedStream`."""
        if not self._rest:
            messages, used = self._parse(data)
            self._rest += data[used:]
            return messages
        self._rest += data
        if len(self._rest) < self._wanted:
            return []
        with memoryview(self._rest) as view:
            messages, used = self._parse(view)
        del self._rest[:used]
        return messages

    def _parse(self, view: memoryview) -> tuple[list[list[bytes]], int]:
        """The messages, and how many bytes they are."""
        at = 0
        if not self._greeted:
            if bytes(view[: len(PREAMBLE)]) != PREAMBLE[: len(view)]:
                raise MalformedStream(f"expected {PREAMBLE!r} first, found {bytes(view[: len(PREAMBLE)])!r}")
            if len(view) < len(PREAMBLE):
                self._wanted = len(PREAMBLE)
                return [], 0
            self._greeted = True
            at = len(PREAMBLE)
        messages: list[list[bytes]] = []
        while (found := self._next(view, at)) is not None:
            frames, at = found
            messages.append(frames)
        return messages, at

    def _next(self, view: memoryview, at: int) -> tuple[list[bytes], int] | None:
        """The message that begins there, and where it ends; None, and what it needs in `_wanted`, if it is incomplete."""
        head = at + _COUNT.size
        self._wanted = head - at
        if len(view) < head:
            return None
        (count,) = _COUNT.unpack_from(view, at)
        if not 1 <= count <= FRAMES_MAX:
            raise MalformedStream(f"expected a message of 1 to {FRAMES_MAX} frames, found {count}")
        body = head + _COUNT.size * count
        self._wanted = body - at
        if len(view) < body:
            return None
        sizes = struct.unpack_from(f"<{count}I", view, head)
        size_bytes = sum(sizes)
        if size_bytes > MESSAGE_BYTES_MAX:
            raise MalformedStream(f"expected at most {MESSAGE_BYTES_MAX} bytes, found {size_bytes}")
        self._wanted = body + size_bytes - at
        if len(view) < body + size_bytes:
            return None
        frames = []
        for size in sizes:
            frames.append(bytes(view[body : body + size]))
            body += size
        return frames, body
