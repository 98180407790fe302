"""Addresses as the configuration has them, `tcp://host:port` and `ipc://@name`, as sockets take them."""

from __future__ import annotations

import socket
from typing import Any, Final

_ABSTRACT: Final = "ipc://@"

Place = tuple[socket.AddressFamily, Any]
"""What `socket.socket` and `connect` or `bind` take."""


def place_of(address: str, *, ask: bool) -> Place | None:
    """Where an address is. A host's name is looked up, which may take its time, if `ask`; None otherwise. Raises OSError."""
    if address.startswith(_ABSTRACT):
        return socket.AF_UNIX, "\0" + address.removeprefix(_ABSTRACT)
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    flags = 0 if ask else socket.AI_NUMERICHOST
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror:
        if ask:
            raise
        return None
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, place
