"""A zone to try the service with where no real one is given: delegations, glue addresses, key digests."""

from __future__ import annotations

from collections.abc import Iterator

from apps.nameserver.packing import Record
from apps.nameserver.record_data import KINDS, owner_name, pack_data

HOSTS = 2
_SERIAL_TEXT = "a.hosts.example. admin.example. 1 1800 900 604800 86400"


def generated_zone(names: int) -> Iterator[tuple[bytes, Record]]:
    """The records of a zone with `names` delegations, each to two hosts with an address; every third is signed."""
    yield b".", _record("SOA", _SERIAL_TEXT)
    for number in range(names):
        delegation = delegated_name(number)
        for host in range(HOSTS):
            yield delegation, _record("NS", host_name(number, host).decode())
        if number % 3 == 0:
            yield delegation, _record("DS", f"{number % 65536} 8 2 {number:064x}")
        for host in range(HOSTS):
            yield host_name(number, host), _record("A", f"192.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")


def delegated_name(number: int) -> bytes:
    """The name of a delegation."""
    return owner_name(f"zone{number}.")


def host_name(number: int, host: int) -> bytes:
    """The name of one of its hosts."""
    return owner_name(f"ns{host}.zone{number}.")


def _record(kind: str, text: str) -> Record:
    return Record(KINDS[kind], 86_400, pack_data(KINDS[kind], text))
