"""Messages that wait for a socket to take them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

BUFFERS_MAX: Final = 512
"""So many are given to the kernel at once."""


class SendQueue:
    """Messages, each one or more buffers of bytes that are not copied; oldest first, of which the first may be sent in part."""

    __slots__ = ("_messages", "_sent", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        """Of all that is not sent."""
        self._messages: deque[tuple[int, Sequence[Any]]] = deque()
        self._sent = 0  # bytes of the first

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, buffers: Sequence[Any], sent: int = 0) -> None:
        """One more message; `sent` bytes of it have gone already, which needs that nothing else waits."""
        size = sum(map(len, buffers))
        self._messages.append((size, buffers))
        self._sent += sent
        self.size_bytes += size - sent

    def next(self) -> list[Any]:
        """What is to be sent next: buffers as `sendmsg` takes them."""
        found: list[Any] = []
        skip = self._sent
        for _, buffers in self._messages:
            for buffer in buffers:
                if skip >= len(buffer):
                    skip -= len(buffer)
                    continue
                found.append(memoryview(buffer)[skip:] if skip else buffer)
                skip = 0
                if len(found) == BUFFERS_MAX:
                    return found
        return found

    def forget(self, sent: int) -> None:
        """So many bytes of it are sent."""
        self.size_bytes -= sent
        sent += self._sent
        messages = self._messages
        while messages and messages[0][0] <= sent:
            sent -= messages.popleft()[0]
        self._sent = sent

    def rewind(self) -> None:
        """What was sent of the first message is lost: it is to be sent from its beginning."""
        self.size_bytes += self._sent
        self._sent = 0

    def clear(self) -> None:
        """Nothing waits any more."""
        self._messages.clear()
        self._sent = self.size_bytes = 0
