"""The connections of clients to a replica: ZeroMQ's ROUTER, in the replica's own loop.

Whoever connects is known by the identity that it asks for, or else by one made up here; a later one that asks for the same takes
it over. Clients are read in turns, a buffer each, and no further before what that held was taken. One that does not take what it
is sent is hung up on, as is one that speaks no ZMTP or does not begin to within some time.
"""

from __future__ import annotations

import resource
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from psmr.transport import zmtp
from psmr.transport.framing import MalformedStream
from psmr.transport.listening import Listener
from psmr.transport.send_queue import SendQueue
from psmr.transport.zmtp import ZmtpReader

QUEUE_BYTES_MAX: Final = 64 << 20
"""So much may wait for a client that takes nothing, and one message more."""
HANDSHAKE_S: Final = 30.0
"""A client that has not said READY after so long makes room for others."""
_READ_BYTES: Final = 1 << 18
_LOOK_MESSAGES: Final = 64
"""After so many messages those that have just sent some get their turn, too."""
_HANDSHAKE: Final = zmtp.encode_handshake(zmtp.ROUTER)
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class _Client:
    __slots__ = ("identity", "is_due", "is_stuck", "messages", "queue", "reader", "since_s", "socket")

    def __init__(self, made: socket.socket, bytes_max: int, since_s: float) -> None:
        self.socket = made
        self.reader = ZmtpReader(zmtp.SERVED, bytes_max)
        self.queue = SendQueue()
        self.messages: deque[list[bytes]] = deque()
        self.identity = b""  # until READY
        self.since_s = since_s
        self.is_due = False  # something is to be sent at the next flush
        self.is_stuck = False  # the socket takes no more: the epoll says when it does


class ClientConnections:
    """Bound to one address. `inbox`: a descriptor that is readable while there is something to do, which `receive` does.

    A message may have `bytes_max`. Raises ConfigurationError for an address that cannot be bound.
    """

    def __init__(self, address: str, bytes_max: int) -> None:
        self.malformed = 0
        """Connections on which something else than ZMTP came."""
        self.dropped = 0
        """Connections that took nothing."""
        self._bytes_max = bytes_max
        self._listener = Listener(address, "clients")
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._clients: dict[int, _Client] = {}  # by descriptor
        self._known: dict[bytes, _Client] = {}  # by identity
        self._shaking: dict[int, _Client] = {}  # without READY, by descriptor; oldest first
        self._full: deque[_Client] = deque()  # with messages
        self._due: list[_Client] = []
        self._looked = 0  # messages until the next look at the sockets
        self._made = 0
        # Half of the process's descriptors: the replica has files to open, however many clients there are.
        self._clients_max = max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)

    @property
    def inbox(self) -> int:
        """The descriptor to poll; -1 once closed."""
        return -1 if self._epoll.closed else self._epoll.fileno()

    @property
    def has_received(self) -> bool:
        """Whether messages are waiting of which the descriptor does not tell, because they have been read."""
        return bool(self._full)

    def receive(self) -> tuple[bytes, list[bytes]] | None:
        """The next message, and whose it is; None when all is taken that was there when the sockets were last looked at."""
        if self._looked <= 0:
            self._react()
            self._looked = _LOOK_MESSAGES
        while self._full:
            client = self._full.popleft()
            message = client.messages.popleft()
            if client.messages:
                self._full.append(client)
            self._looked -= 1
            return client.identity, message
        self._looked = 0
        return None

    def send(self, identity: bytes, frames: Sequence[Any]) -> None:
        """Send a message to a client, at the next `flush`; to nobody if it is gone."""
        client = self._known.get(identity)
        if client is not None:
            self._send(client, zmtp.encode_message(frames))

    def flush(self) -> None:
        """Have the kernel take what is to be sent, as far as it does."""
        if self._due:
            due, self._due = self._due, []
            for client in due:
                client.is_due = False
                self._flush(client)

    def close(self, linger_s: float) -> None:
        """Close every socket; what is to be sent may take so long. Closing twice is closing once."""
        if self._epoll.closed:
            return
        self._listener.close()
        self.flush()
        until_s = time.monotonic() + linger_s
        for client in list(self._clients.values()):
            if client.queue:
                self._epoll.modify(client.socket, select.EPOLLOUT)
            else:
                self._drop(client)
        while self._clients and (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _ in self._epoll.poll(left_s):
                client = self._clients[descriptor]
                self._flush(client)
                if not client.queue:
                    self._drop(client)
        for client in list(self._clients.values()):
            self._drop(client)
        self._epoll.close()

    def _react(self) -> None:
        """Do what there is to do for the sockets, once each."""
        for descriptor, events in self._epoll.poll(0):
            client = self._clients.get(descriptor)
            if client is None:
                if descriptor == self._listener.fileno():
                    self._accept()
                continue
            if events & select.EPOLLOUT:
                self._flush(client)
            if events & ~select.EPOLLOUT and not client.messages:
                self._read(client)

    def _accept(self) -> None:
        made = self._listener.accept()
        now_s = time.monotonic()
        for client in list(self._shaking.values()):
            if now_s - client.since_s < HANDSHAKE_S:
                break
            self._drop(client)
        if made is None:
            return
        if len(self._clients) >= self._clients_max:
            made.close()
            return
        if made.family != socket.AF_UNIX:
            for option in _KEEPALIVE:
                made.setsockopt(*option)
        client = _Client(made, self._bytes_max, now_s)
        self._clients[made.fileno()] = self._shaking[made.fileno()] = client
        self._epoll.register(made, select.EPOLLIN)
        client.queue.add([_HANDSHAKE])
        self._flush(client)

    def _read(self, client: _Client) -> None:
        try:
            count = client.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._drop(client)
            return
        try:
            messages = client.reader.feed(self._buffer[:count])
        except MalformedStream:
            self.malformed += 1
            self._drop(client)
            return
        if not client.identity and client.reader.is_ready:
            self._meet(client)
        if client.reader.answers:
            self._send(client, client.reader.answers)
            client.reader.answers = []
        if messages:
            client.messages.extend(messages)
            self._full.append(client)

    def _meet(self, client: _Client) -> None:
        """It has said READY, and by which identity it is to be known."""
        del self._shaking[client.socket.fileno()]
        self._made += 1
        client.identity = client.reader.identity or b"\0" + self._made.to_bytes(8, "big")
        former = self._known.get(client.identity)
        if former is not None:
            self._drop(former)
        self._known[client.identity] = client

    def _send(self, client: _Client, buffers: Sequence[Any]) -> None:
        if client.queue.size_bytes > QUEUE_BYTES_MAX:
            self.dropped += 1
            self._drop(client)
            return
        client.queue.add(buffers)
        if not client.is_due and not client.is_stuck:
            client.is_due = True
            self._due.append(client)

    def _flush(self, client: _Client) -> None:
        queue = client.queue
        try:
            while queue:
                queue.forget(client.socket.sendmsg(queue.next()))
        except BlockingIOError:
            if not client.is_stuck:
                client.is_stuck = True
                self._epoll.modify(client.socket, select.EPOLLIN | select.EPOLLOUT)
            return
        except OSError:
            self._drop(client)
            return
        if client.is_stuck:
            client.is_stuck = False
            self._epoll.modify(client.socket, select.EPOLLIN)

    def _drop(self, client: _Client) -> None:
        """Hang up; what it sent before is still taken."""
        descriptor = client.socket.fileno()
        if descriptor < 0:
            return
        del self._clients[descriptor]
        self._shaking.pop(descriptor, None)
        if self._known.get(client.identity) is client:
            del self._known[client.identity]
        client.queue.clear()
        with suppress(OSError):
            self._epoll.unregister(client.socket)
        client.socket.close()
