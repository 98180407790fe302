"""Redis: a primary and two replicas, pipelines that end in WAIT 1; with an append-only file synced always, and without one.

Requests are encoded before the clock runs and sent over plain sockets, since the client's library costs more than
the server does; it is used for everything that is not measured.
"""

from __future__ import annotations

import importlib.util
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from bench._peers_loop import connected, drive, received
from bench._peers_measure import COLUMNS, Entry, NotInstalled, Outcome, PeerFailed, Plan, compare
from bench._peers_servers import HOST, Servers, free_ports, output_of, program
from bench._peers_work import Lane, requests

SYSTEM = "Redis"
HOW_TO_GET_IT = "apt-get install redis-server, and pip install 'psmr[peers]'"
CONNECTIONS = 4
PIPELINE = 256
REPLICAS = 3
WAIT_MS = 10_000
_WAIT = b"*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$%d\r\n%d\r\n" % (len(str(WAIT_MS)), WAIT_MS)
_STORED = b"+OK\r\n" * PIPELINE
_WAITED = (b":1\r\n", b":2\r\n")
_ANSWER_BYTES = len(_STORED) + len(_WAITED[0])


def _entry(what: str, on_disk: str, setup: str, durable: bool) -> Entry:
    return Entry(
        system=SYSTEM,
        work=f"SET, pipelines of {PIPELINE} + WAIT 1, {what}",
        on_disk=on_disk,
        client=f"plain sockets, {CONNECTIONS} connections, a pipeline in flight on each",
        setup=f"primary and 2 replicas, {setup}",
        like=COLUMNS,
        durable=durable,
        short=f"Redis, {what}",
        in_quick=what == "AOF always",
    )


ENTRIES = (
    _entry(
        "AOF always", "yes on the primary; a replica's ack promises none", "appendonly yes, appendfsync always", True
    ),
    _entry(
        "AOF always on the primary only", "primary only", "appendonly yes and appendfsync always on the primary", True
    ),
    _entry("no AOF", "no", "appendonly no, save ''", False),
)
_APPENDERS = dict(zip(ENTRIES, (REPLICAS, 1, 0), strict=True))
"""How many of the servers, from the primary on, append to a file."""


def measure(plan: Plan, entries: Sequence[Entry]) -> Iterator[Outcome]:
    """Each entry with servers of its own."""
    server = program("redis-server", HOW_TO_GET_IT)
    if importlib.util.find_spec("redis") is None:
        raise NotInstalled(HOW_TO_GET_IT)
    version = server_version(output_of([server, "--version"]))
    for entry in entries:
        with Servers() as servers:
            yield _measured(plan, version, _start(servers, server, _APPENDERS[entry]))


def _measured(plan: Plan, version: str, ports: list[int]) -> Outcome:
    with ExitStack() as stack:
        pipelines = []
        for number in range(CONNECTIONS):
            pipelines.append(Pipeline(connected(ports[0]), Lane(0, number, CONNECTIONS)))
            stack.callback(pipelines[-1].close)
        return plan.measure(version, lambda seconds: drive(pipelines, seconds), lambda: _complaint(ports, pipelines))


class Pipeline:
    """One connection, with one pipeline in flight: WAIT holds back whatever would come after it."""

    commands_a_request = PIPELINE

    def __init__(self, link: socket.socket, lane: Lane) -> None:
        self.lane = lane
        self.requests = requests(lane, PIPELINE, b"*3\r\n$3\r\nSET\r\n$16\r\n", "key", b"\r\n$32\r\n", "value", b"\r\n")
        self._link = link
        self._sent_s: deque[float] = deque()
        self._answer = b""

    def fileno(self) -> int:
        return self._link.fileno()

    def in_flight(self) -> int:
        return len(self._sent_s)

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def send(self, now_s: float) -> None:
        if not self._sent_s:
            self._sent_s.append(now_s)
            self._link.sendall(bytes(self.requests.take(PIPELINE)) + _WAIT)

    def receive(self, now_s: float) -> list[float]:
        self._answer += received(self._link)
        if len(self._answer) < _ANSWER_BYTES and not self._answer.startswith(b"-"):
            return []
        answer, self._answer = self._answer, b""
        check_answer(answer)
        return [now_s - self._sent_s.popleft()]


def check_answer(answer: bytes) -> None:
    """Raise PeerFailed for anything but OK to each SET, and one replica or more that has them."""
    if not answer.startswith(_STORED) or answer[len(_STORED) :] not in _WAITED:
        raise PeerFailed(
            f"Redis: expected {PIPELINE} times OK and a replica that acknowledged, found {answer[:80]!r}…{answer[-8:]!r}"
        )


def server_version(text: str) -> str:
    """`7.0.15` of `Redis server v=7.0.15 sha=…`."""
    return next((word[2:] for word in text.split() if word.startswith("v=")), "unknown")


def _start(servers: Servers, server: str, appenders: int) -> list[int]:
    """A primary and its replicas; the ports, the primary's first."""
    ports = free_ports(REPLICAS)
    for number, port in enumerate(ports):
        folder = servers.folder / f"redis-{number}"
        folder.mkdir()
        appends = ["yes" if number < appenders else "no", "--appendfsync", "always"]
        replica_of = ["--replicaof", f"{HOST} {ports[0]}"] if number else []
        # A rewrite of the file in the middle of a run would only be in Redis's way.
        settings = ["--save", "", "--auto-aof-rewrite-percentage", "0", "--repl-diskless-sync-delay", "0"]
        command = [server, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--appendonly", *appends]
        servers.start(f"redis-{number}", [*command, *settings, *replica_of])
    with _client(ports[0]) as primary:
        servers.wait_for("two Redis replicas in step", lambda: _in_step(primary))
    return ports


def _in_step(primary: Any) -> bool | None:
    import redis

    try:
        found = primary.info("replication")
    except redis.RedisError:
        return None
    states = [found.get(f"slave{number}", {}).get("state") for number in range(REPLICAS - 1)]
    return True if states == ["online"] * (REPLICAS - 1) else None


def _client(port: int) -> Any:
    import redis

    return redis.Redis(HOST, port, socket_timeout=WAIT_MS / 1000)


def _complaint(ports: list[int], pipelines: list[Pipeline]) -> str:
    """Read back at the primary and, once these have everything, at both replicas."""
    import redis

    keys: list[bytes] = []
    expected: list[bytes | None] = []
    for pipeline in pipelines:
        lane_keys, values = pipeline.lane.sample(pipeline.requests.taken)
        keys += lane_keys
        expected += values
    try:
        complaints = [_everywhere(ports[0])]
        for port in ports:
            with _client(port) as client:
                complaints.append(compare(client.mget(keys), expected, f"Redis at port {port}"))
    except redis.RedisError as error:
        raise PeerFailed(f"Redis: expected to read back what was set, found: {error}") from None
    return "; ".join(filter(None, complaints))


def _everywhere(primary: int) -> str:
    """Wait until both replicas have what the primary has."""
    with _client(primary) as client:
        # WAIT speaks of its own connection's writes, so there must be one.
        client.set("last", "one")
        acknowledged = client.wait(REPLICAS - 1, WAIT_MS)
    return "" if acknowledged == REPLICAS - 1 else f"expected 2 replicas in step, found {acknowledged}"
