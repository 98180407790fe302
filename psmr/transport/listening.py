"""A socket that listens at an address."""

from __future__ import annotations

import socket
from typing import Final

from psmr.errors import ConfigurationError
from psmr.transport.addresses import place_of

_BACKLOG: Final = 128


class Listener:
    """Bound to one address, that of `whom`. Raises ConfigurationError if it cannot be."""

    def __init__(self, address: str, whom: str) -> None:
        try:
            self._socket = _listen(address)
        except OSError as error:
            raise ConfigurationError(
                f"{whom} address {address}: expected one that can be bound, found: {error.strerror or error}; "
                "is another replica (or program) using it?"
            ) from None

    def fileno(self) -> int:
        """The descriptor: readable when somebody has dialled; -1 once closed."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """The next connection, non-blocking; None when whoever dialled has hung up, or no descriptor is left."""
        try:
            made, _ = self._socket.accept()
        except OSError:
            return None
        made.setblocking(False)
        return made

    def close(self) -> None:
        """Listen no longer."""
        self._socket.close()


def _listen(address: str) -> socket.socket:
    place = place_of(address, ask=True)
    assert place is not None
    listener = socket.socket(place[0], socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if place[0] != socket.AF_UNIX:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place[1])
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
