"""What arrives from peers: a socket that listens, and the connections that were made to it."""

from __future__ import annotations

import select
import socket
from collections import deque
from contextlib import suppress
from typing import Final

from psmr.transport.framing import FrameReader, MalformedStream
from psmr.transport.listening import Listener

_READ_BYTES: Final = 1 << 18


class Incoming:
    """Bound to one address. Its descriptors are in `epoll`; whoever polls that calls `react`, then looks into `messages`."""

    def __init__(self, address: str, epoll: select.epoll) -> None:
        self.messages: deque[list[bytes]] = deque()
        """What arrived, oldest first: to be taken from its left end."""
        self.malformed = 0
        self._epoll = epoll
        self._connections: dict[int, tuple[socket.socket, FrameReader]] = {}
        self.accepted = 0
        """Connections, from the start on."""
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._listener = Listener(address, "peers")
        epoll.register(self._listener, select.EPOLLIN)

    def react(self, descriptor: int) -> bool:
        """Something happened to this descriptor, if it is one of these: something arrived, or a connection was made."""
        if descriptor in self._connections:
            self._read(descriptor)
        elif descriptor == self._listener.fileno():
            self._accept()
        else:
            return False
        return True

    def close(self) -> None:
        """Close every socket."""
        for descriptor in list(self._connections):
            self._drop(descriptor)
        self._listener.close()

    def _accept(self) -> None:
        made = self._listener.accept()
        if made is not None:
            self.accepted += 1
            self._connections[made.fileno()] = made, FrameReader()
            self._epoll.register(made, select.EPOLLIN)

    def _read(self, descriptor: int) -> None:
        connection, reader = self._connections[descriptor]
        try:
            count = connection.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._drop(descriptor)
            return
        try:
            self.messages.extend(reader.feed(self._buffer[:count]))
        except MalformedStream:
            self.malformed += 1
            self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        connection, _ = self._connections.pop(descriptor)
        with suppress(OSError):
            self._epoll.unregister(connection)
        connection.close()
