"""Who waits where: the connection that last spoke for a session, or for the nonce of an open. Pure."""

from __future__ import annotations

from collections import OrderedDict


class Routes:
    """At most `capacity` of them; the one used least recently goes first. Losing one costs a client a retry, nothing else."""

    def __init__(self, capacity: int = 1 << 17) -> None:
        self._capacity = capacity
        self._connections: OrderedDict[int, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._connections)

    def learn(self, waiting: int, connection: bytes) -> None:
        """Answers to `waiting` go to `connection` from now on."""
        self._connections[waiting] = connection
        self._connections.move_to_end(waiting)
        if len(self._connections) > self._capacity:
            self._connections.popitem(last=False)

    def find(self, waiting: int) -> bytes | None:
        """Where the answer goes, or None when nobody here asked."""
        return self._connections.get(waiting)

    def connections(self) -> tuple[bytes, ...]:
        """Every connection that somebody waits at, once, in an order that every process finds alike."""
        return tuple(sorted(set(self._connections.values())))

    def forget(self, waiting: int) -> None:
        """Nobody waits any more."""
        self._connections.pop(waiting, None)
