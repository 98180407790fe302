"""One way of a replica to a peer: a connection that is made again when it is needed, and what waits to be sent on it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from psmr.transport.dialling import Dialler
from psmr.transport.framing import PREAMBLE, encode_head
from psmr.transport.send_queue import BUFFERS_MAX, SendQueue

QUEUE_MESSAGES: Final = 512
"""So many messages may wait while the peer takes nothing."""
RETRY_S: Final = 0.02
PATIENCE_S: Final = 1.0
"""So long a connection may take to be made; then another is."""
_SOCKET_BYTES: Final = 4 << 20
_SILENCE_MS: Final = 3_000
"""A host that takes nothing for so long is dialled anew: the kernel would go on sending to it ever more rarely, for minutes."""


class Outgoing:
    """Dials when something is to be sent and nobody is there: what was to be sent is lost then, as the protocol above expects.

    Its descriptor, while it has one, is in `epoll`; whoever polls that calls `react`.
    """

    def __init__(self, address: str, epoll: select.epoll) -> None:
        self._dialler = Dialler(address)
        self._epoll = epoll
        self._socket: socket.socket | None = None
        self._is_there = False
        self._next_dial_s = 0.0
        self._give_up_s = 0.0
        self._queue = SendQueue()

    @property
    def fileno(self) -> int:
        """The descriptor; -1 while there is none."""
        return -1 if self._socket is None else self._socket.fileno()

    def send(self, frames: Sequence[Any]) -> bool:
        """Send a message, or keep it to be sent; whether either was done. Never blocks."""
        if not self._is_there and not self.dial():
            return False
        if len(self._queue) >= QUEUE_MESSAGES:
            return False
        buffers = [encode_head(frames), *frames]
        if self._queue:
            self._queue.add(buffers)
            return True
        sent = self._send(buffers)
        if sent is None:
            return False
        if sent < sum(map(len, buffers)):
            self._queue.add(buffers, sent)
            self._epoll.modify(self.fileno, select.EPOLLOUT | select.EPOLLRDHUP)
        return True

    def dial(self) -> bool:
        """See that a connection is there, or being made; whether it is there."""
        now_s = time.monotonic()
        if self._socket is None:
            if now_s < self._next_dial_s:
                return False
            self._next_dial_s = now_s + RETRY_S
            self._connect(now_s)
        elif not self._is_there and now_s > self._give_up_s:
            self.hang_up()
        return self._is_there

    def react(self, events: int) -> None:
        """Something happened to the descriptor."""
        if self._socket is None:
            return
        if not self._is_there:
            self._greet()
        elif events & (select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP):
            self.hang_up()
        elif events & select.EPOLLOUT:
            self._send_waiting()

    def hang_up(self) -> None:
        """Give the connection up, and what waits for it."""
        self._queue.clear()
        self._is_there = False
        if self._socket is not None:
            with suppress(OSError):
                self._epoll.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _connect(self, now_s: float) -> None:
        made = self._dialler.dial()
        if made is None:
            return
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        if made.family != socket.AF_UNIX:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
        self._socket = made
        self._epoll.register(made, select.EPOLLOUT | select.EPOLLRDHUP)
        self._give_up_s = now_s + PATIENCE_S
        if made.family == socket.AF_UNIX:
            self._greet()  # there is no connection that is only being made

    def _greet(self) -> None:
        """The connection is there, or could not be made: nothing was sent on it, so there is room."""
        if self._send([PREAMBLE]) == len(PREAMBLE):
            self._is_there = True
            self._epoll.modify(self.fileno, select.EPOLLRDHUP)
        else:
            self.hang_up()

    def _send(self, buffers: Sequence[Any]) -> int | None:
        """How many bytes the kernel took; None when the connection is lost."""
        if self._socket is None:
            return None
        try:
            return self._socket.sendmsg(buffers if len(buffers) <= BUFFERS_MAX else [b"".join(buffers)])
        except BlockingIOError:
            return 0
        except OSError:
            self.hang_up()
            return None

    def _send_waiting(self) -> None:
        while self._queue:
            sent = self._send(self._queue.next())
            if not sent:
                return
            self._queue.forget(sent)
        if self._socket is not None:
            self._epoll.modify(self._socket, select.EPOLLRDHUP)
