"""NATS JetStream: a key-value bucket of three replicas in files, 1,000 puts in flight; synced as by default, and always.

A put is a message published to the key's subject and answered by its stream. Twice the messages are encoded before the clock
runs and sent over a plain socket; once they go through the client's library, which costs more than the server does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench._peers_loop import connected, drive
from bench._peers_measure import ONE_A_CALL, Entry, NotInstalled, Outcome, Plan
from bench._peers_nats_library import Library, bucket, sample_complaint
from bench._peers_nats_socket import Puts
from bench._peers_servers import HOST, Servers, free_ports, output_of, program
from bench._peers_work import Lane

SYSTEM = "NATS JetStream"
HOW_TO_GET_IT = "pip install 'psmr[peers]'"
SERVERS = 3
IN_FLIGHT = 1000
_DEFAULT, _ALWAYS = "2m", "always"
_SOCKET, _LIBRARY = "plain socket", "nats-py"


def _entry(client: str, sync_interval: str) -> Entry:
    always = sync_interval == _ALWAYS
    return Entry(
        system=SYSTEM,
        work=f"key-value put, {IN_FLIGHT:,} in flight, " + ("synced always" if always else f"by {client}"),
        on_disk="yes, on a majority" if always else "no: synced every 2 minutes",
        client=f"{client}, one connection",
        setup="3 servers, bucket R3 in files, history 1, at the stream's leader, sync_interval "
        + ("always" if always else "2m (the default)"),
        like=ONE_A_CALL,
        durable=always,
        short=f"NATS, {'synced always' if always else client}",
        in_quick=always or client == _LIBRARY,
    )


_SHAPES = ((_SOCKET, _DEFAULT), (_LIBRARY, _DEFAULT), (_SOCKET, _ALWAYS))
ENTRIES = tuple(_entry(client, sync_interval) for client, sync_interval in _SHAPES)


def measure(plan: Plan, entries: Sequence[Entry]) -> Iterator[Outcome]:
    """Each entry with servers of its own."""
    server = program("nats-server", HOW_TO_GET_IT)
    if importlib.util.find_spec("nats") is None:
        raise NotInstalled(HOW_TO_GET_IT)
    version = server_version(output_of([server, "--version"]))
    for entry in entries:
        client, sync_interval = _SHAPES[ENTRIES.index(entry)]
        with Servers() as servers:
            ports = _start(servers, server, sync_interval)
            leader = servers.wait_for("a NATS stream with a leader", partial(_leader, ports))
            follower = next(port for port in ports if port != leader)
            measured = _by_socket if client == _SOCKET else _by_library
            yield measured(plan, version, leader, follower)


def _by_socket(plan: Plan, version: str, leader: int, follower: int) -> Outcome:
    puts = Puts(connected(leader), Lane(0), IN_FLIGHT)
    try:
        return plan.measure(
            version,
            lambda seconds: drive([puts], seconds),
            lambda: sample_complaint(follower, puts.lane, puts.written),
        )
    finally:
        puts.close()


def _by_library(plan: Plan, version: str, leader: int, follower: int) -> Outcome:
    with Library(leader, Lane(0), IN_FLIGHT) as library:
        return plan.measure(version, library.drive, lambda: sample_complaint(follower, library.lane, library.written))


def server_version(text: str) -> str:
    """`2.11.4` of `nats-server: v2.11.4`."""
    return text.rpartition("v")[2].strip() or "unknown"


def configuration(number: int, client: int, routes: list[int], store: Path, sync_interval: str) -> str:
    """A server's file, as the documentation of JetStream clustering has it."""
    addresses = ", ".join(f'"nats://{HOST}:{port}"' for port in routes)
    return "\n".join(
        [
            f'server_name: "server-{number}"',
            f'listen: "{HOST}:{client}"',
            f'jetstream {{ store_dir: "{store}", sync_interval: "{sync_interval}" }}',
            f'cluster {{ name: "peers", listen: "{HOST}:{routes[number]}", routes: [{addresses}] }}',
        ]
    )


def _start(servers: Servers, server: str, sync_interval: str) -> list[int]:
    """The servers' ports for clients."""
    ports = free_ports(2 * SERVERS)
    clients, routes = ports[:SERVERS], ports[SERVERS:]
    for number, client in enumerate(clients):
        file = servers.folder / f"nats-{number}.conf"
        store = servers.folder / f"nats-{number}"
        file.write_text(configuration(number, client, routes, store, sync_interval))
        servers.start(f"nats-{number}", [server, "--config", file])
    for client in clients:
        servers.wait_for_port(client)
    return clients


def _leader(ports: list[int]) -> int | None:
    """The port of the server that leads the bucket's stream, which is made if it is not there."""
    name = bucket(ports[0], SERVERS)
    return ports[int(name.removeprefix("server-"))] if name else None
