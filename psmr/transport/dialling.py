"""Connections to one address, made as often as they are needed."""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import suppress

from psmr.transport.addresses import place_of


class Dialler:
    """Never blocks: a host's name is looked up in a thread, for that may take seconds. Raises ConfigurationError for no address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._place = place_of(address, ask=False)
        self._is_named = self._place is None
        self._search: threading.Thread | None = None

    @property
    def is_looking_up(self) -> bool:
        """Whether the host's name is being looked up, or has just been: dial again soon."""
        return self._search is not None and (self._search.is_alive() or self._place is not None)

    def dial(self) -> socket.socket | None:
        """A connection that is there or being made, writable when it is either there or lost; None while there can be none."""
        place = self._place
        if place is None:
            self._look_up()
            return None
        if self._is_named:
            self._place = self._search = None  # it may be elsewhere the next time
        try:
            made = socket.socket(place[0], socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:
            return None  # no descriptor is left: later, perhaps
        if place[0] != socket.AF_UNIX:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if made.connect_ex(place[1]) not in (0, errno.EINPROGRESS):
            made.close()
            return None
        return made

    def _look_up(self) -> None:
        def search() -> None:
            with suppress(OSError):
                self._place = place_of(self._address, ask=True)

        if self._search is None or not self._search.is_alive():
            self._search = threading.Thread(target=search, name="look-up", daemon=True)
            self._search.start()
