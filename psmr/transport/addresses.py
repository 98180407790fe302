"""Addresses as the configuration has them, `tcp://host:port` and `ipc://@name`, as sockets take them."""

from __future__ import annotations

import socket
from typing import Any, Final

from psmr.errors import ConfigurationError

_ABSTRACT: Final = "ipc://@"
_LOCAL: Final = "ipc://"
_TCP: Final = "tcp://"

Place = tuple[socket.AddressFamily, Any]
"""What `socket.socket` and `connect` or `bind` take."""


def place_of(address: str, *, ask: bool) -> Place | None:
    """Where an address is. A host's name is looked up, which may take its time, if `ask`; None otherwise.

    Raises OSError, and ConfigurationError for what is no address.
    """
    if address.startswith(_ABSTRACT):
        return socket.AF_UNIX, "\0" + address.removeprefix(_ABSTRACT)
    if address.startswith(_LOCAL):
        return socket.AF_UNIX, address.removeprefix(_LOCAL)
    host, _, port = address.removeprefix(_TCP).rpartition(":")
    if not (address.startswith(_TCP) and host and port.isdecimal() and int(port) < 1 << 16):
        raise ConfigurationError(f"expected an address as tcp://host:port or ipc://name, found {address!r}")
    flags = 0 if ask else socket.AI_NUMERICHOST
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror:
        if ask:
            raise
        return None
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, place
