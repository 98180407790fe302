"""The client's socket: ZeroMQ's DEALER, to one replica at a time, without a thread of its own."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from psmr.transport import zmtp
from psmr.transport.dialling import Dialler
from psmr.transport.framing import MESSAGE_BYTES_MAX, MalformedStream
from psmr.transport.send_queue import SendQueue
from psmr.transport.zmtp import ZmtpReader

RETRY_US: Final = 50_000
"""A client outlives its replica: it dials again soon, and does not wait longer each time."""
_LOOK_US: Final = 2_000
"""So often it is looked whether a host's name was found."""
_READ_BYTES: Final = 1 << 17
_HANDSHAKE: Final = zmtp.encode_handshake(zmtp.DEALER)


class Dealer:
    """A connection that is made anew until it is there, and whenever it is lost; what is to be sent waits for it. Never blocks.

    All is thrown away when the next address is dialled. Nothing happens between calls: whoever waits for `file_descriptor`, which
    stays the same and is readable while there is something to do, or for `due_us`, calls `receive` then.
    """

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._dialler: Dialler | None = None
        self._socket: socket.socket | None = None
        self._interest = 0
        self._is_greeted = False  # the connection is there, and the handshake sent
        self._reader = ZmtpReader((), 0)
        self._queue = SendQueue()
        self._messages: deque[list[bytes]] = deque()
        self._has_looked = False
        self._dial_at_us = 0
        self._buffer = memoryview(bytearray(_READ_BYTES))

    @property
    def file_descriptor(self) -> int:
        """Readable while there is something to do: from `dial` to `hang_up`; -1 otherwise."""
        return -1 if self._epoll is None else self._epoll.fileno()

    @property
    def due_us(self) -> int | None:
        """When `receive` is to be called though nothing is readable, by the monotonic clock; None: no need."""
        return self._dial_at_us if self._dialler is not None and self._socket is None else None

    @property
    def has_received(self) -> bool:
        """Whether messages are waiting of which the descriptor does not tell, because they have been read."""
        return bool(self._messages)

    def dial(self, address: str) -> None:
        """Hang up, then connect to `address`, however often that takes. Raises ConfigurationError for what is no address."""
        self._drop()
        self._queue.clear()
        self._messages.clear()
        self._dialler = Dialler(address)
        if self._epoll is None:
            self._epoll = select.epoll()
        self._connect()

    def hang_up(self) -> None:
        """Close the connection, if there is one; what was to be sent is forgotten."""
        self._drop()
        self._dialler = None
        self._messages.clear()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None

    def transmit(self, frames: Sequence[Any]) -> None:
        """Send one message to whom was dialled last; to nobody if none was."""
        if self._dialler is not None:
            self._queue.add(zmtp.encode_message(frames))
            if self._reader.is_ready and len(self._queue) == 1:
                self._flush()

    def receive(self) -> list[bytes] | None:
        """The next message; None when all is taken that had come when the socket was last looked at."""
        if not self._messages:
            if self._has_looked:
                self._has_looked = False
                return None
            self._look()
            if not self._messages:
                return None
            self._has_looked = True
        return self._messages.popleft()

    def wait(self, timeout_us: int | None) -> None:
        """Sleep until there is something to receive, or to do, or the time is over; None: however long that takes."""
        if self._messages or self._epoll is None:
            return
        self._has_looked = False
        due_us = self.due_us
        if due_us is not None:
            left_us = max(0, due_us - _now_us())
            timeout_us = left_us if timeout_us is None else min(timeout_us, left_us)
        self._epoll.poll(None if timeout_us is None else timeout_us / 1e6)

    def _connect(self) -> None:
        """Try to have a connection; the next try is in some time."""
        assert self._dialler is not None
        assert self._epoll is not None
        self._reader = ZmtpReader(zmtp.SERVING, MESSAGE_BYTES_MAX)
        self._socket = self._dialler.dial()
        self._dial_at_us = _now_us() + (_LOOK_US if self._dialler.is_looking_up else RETRY_US)
        if self._socket is not None:
            self._interest = select.EPOLLOUT
            self._epoll.register(self._socket, select.EPOLLOUT)

    def _look(self) -> None:
        """Do what there is to do for the socket, once."""
        if self._socket is None:
            if self._dialler is not None and _now_us() >= self._dial_at_us:
                self._connect()
            return
        if not self._is_greeted:
            self._greet()
        elif self._interest & select.EPOLLOUT:
            self._flush()
        if self._is_greeted:
            self._read()

    def _greet(self) -> None:
        """The connection may be there: nothing was sent on it, so then there is room."""
        assert self._socket is not None
        try:
            self._socket.send(_HANDSHAKE)
        except BlockingIOError:
            return
        except OSError:
            self._lose()
            return
        self._is_greeted = True
        self._want(select.EPOLLIN)

    def _read(self) -> None:
        assert self._socket is not None
        try:
            count = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        reader = self._reader
        was_ready = reader.is_ready
        try:
            self._messages.extend(reader.feed(self._buffer[:count]))
        except MalformedStream:
            count = 0
        if not count:
            self._lose()
            return
        if reader.answers:
            self._queue.add(reader.answers)
            reader.answers = []
        elif was_ready:
            return
        if reader.is_ready:
            self._flush()

    def _flush(self) -> None:
        """Have the kernel take what is to be sent, as far as it does."""
        assert self._socket is not None
        queue = self._queue
        try:
            while queue:
                queue.forget(self._socket.sendmsg(queue.next()))
        except BlockingIOError:
            self._want(select.EPOLLIN | select.EPOLLOUT)
            return
        except OSError:
            self._lose()
            return
        self._want(select.EPOLLIN)

    def _want(self, interest: int) -> None:
        if interest != self._interest:
            assert self._epoll is not None
            assert self._socket is not None
            self._interest = interest
            self._epoll.modify(self._socket, interest)

    def _lose(self) -> None:
        """The connection is gone, or could not be made: what it has not taken whole waits for the next."""
        self._drop()
        self._queue.rewind()
        self._dial_at_us = _now_us() + RETRY_US

    def _drop(self) -> None:
        if self._socket is not None:
            assert self._epoll is not None
            with suppress(OSError):
                self._epoll.unregister(self._socket)
            self._socket.close()
            self._socket = None
            self._is_greeted = False
            self._reader = ZmtpReader((), 0)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
