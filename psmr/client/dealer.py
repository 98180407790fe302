"""The client's socket: one DEALER to one replica at a time."""

from __future__ import annotations

import zmq


class Dealer:
    """A DEALER that is thrown away with everything in it when the next address is dialled. Never blocks."""

    def __init__(self) -> None:
        self._socket: zmq.Socket[bytes] | None = None

    @property
    def file_descriptor(self) -> int:
        """ZeroMQ's descriptor of the socket in use; readable once when something has happened to it."""
        return -1 if self._socket is None else int(self._socket.getsockopt(zmq.FD))

    def dial(self, address: str) -> None:
        """Hang up, then connect to `address`; ZeroMQ goes on trying until it is reached."""
        self.hang_up()
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        # The submission window bounds what is under way, so the socket's own limits would only add a way to block.
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        # A client outlives its replica: reconnect soon, and do not wait longer each time.
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.connect(address)
        self._socket = socket

    def hang_up(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    def transmit(self, frames: list[bytes]) -> None:
        """Send one message to whom was dialled last; to nobody if none was."""
        if self._socket is not None:
            self._socket.send_multipart(frames, flags=zmq.DONTWAIT)

    def receive(self) -> list[bytes] | None:
        """The next message; None when there is none now."""
        if self._socket is None:
            return None
        try:
            return self._socket.recv_multipart(flags=zmq.DONTWAIT)
        except zmq.Again:
            return None

    def has_input(self) -> bool:
        """Whether a message is waiting."""
        return self._socket is not None and bool(int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def wait(self, timeout_us: int | None) -> None:
        """Sleep until a message is waiting or the time is over; None waits for a message only."""
        if self._socket is not None:
            self._socket.poll(None if timeout_us is None else (timeout_us + 999) // 1000, zmq.POLLIN)
