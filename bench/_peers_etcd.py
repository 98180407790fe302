"""etcd: three members, puts one by one from many callers, and 64 in a transaction."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from bench._peers_grpc import GrpcCalls
from bench._peers_loop import connected, drive
from bench._peers_measure import COLUMNS, ONE_A_CALL, Entry, Outcome, Plan, compare
from bench._peers_servers import HOST, Servers, free_ports, output_of, program
from bench._peers_work import KEY_BYTES, VALUE_BYTES, Lane, Requests, requests

SYSTEM = "etcd"
HOW_TO_GET_IT = "apt-get install etcd-server"
MEMBERS = 3
PUTS = 64
ASK_TIMEOUT_S = 10.0


def _entry(work: str, client: str, like: str) -> Entry:
    return Entry(
        system=SYSTEM,
        work=work,
        on_disk="yes, on a majority",
        client=f"gRPC by hand, {client}",
        setup="3 members, defaults, at the leader",
        like=like,
        durable=True,
        short=f"etcd, {'transactions' if like == COLUMNS else 'puts'}",
        in_quick=like == COLUMNS,
    )


_SHAPES = {COLUMNS: (PUTS, 4, 16), ONE_A_CALL: (1, 4, 250)}
"""Puts a call, connections, calls in flight on each."""
ENTRIES = (
    _entry(f"{PUTS} puts a transaction, 64 in flight", "4 connections", COLUMNS),
    _entry("one put a call, 1,000 in flight", "4 connections", ONE_A_CALL),
)


def measure(plan: Plan, entries: Sequence[Entry]) -> Iterator[Outcome]:
    """Each entry with members of its own."""
    server = program("etcd", HOW_TO_GET_IT)
    version = server_version(output_of([server, "--version"]))
    for entry in entries:
        with Servers() as servers:
            ports, leader = _start(servers, server)
            follower = next(port for port in ports if port != leader)
            yield _measured(plan, version, entry.like, leader, follower)


def _measured(plan: Plan, version: str, like: str, leader: int, follower: int) -> Outcome:
    puts, connections, window = _SHAPES[like]
    path = b"/etcdserverpb.KV/" + (b"Put" if puts == 1 else b"Txn")
    lanes = [Lane(0, number, connections) for number in range(connections)]
    messages = [encoded(lane, puts) for lane in lanes]
    with ExitStack() as stack:
        calls = []
        for one in messages:
            calls.append(GrpcCalls(connected(leader), path, one, puts, window))
            stack.callback(calls[-1].close)
        return plan.measure(
            version, lambda seconds: drive(calls, seconds), lambda: _complaint(follower, lanes, messages)
        )


def encoded(lane: Lane, puts: int) -> Requests:
    """`PutRequest` (key = 1, value = 2); for a transaction `RequestOp` (request_put = 2), one of `TxnRequest.success` (2)."""
    key, value = _field(1, KEY_BYTES), _field(2, VALUE_BYTES)
    put_bytes = len(key) + KEY_BYTES + len(value) + VALUE_BYTES
    operation = _field(2, put_bytes)
    wrapping = b"" if puts == 1 else _field(2, len(operation) + put_bytes) + operation
    return requests(lane, puts, wrapping + key, "key", value, "value")


def _field(number: int, length: int) -> bytes:
    """How a field of so many bytes begins in Protocol Buffers; shorter than 128 bytes."""
    return bytes((number << 3 | 2, length))


def server_version(text: str) -> str:
    """`3.4.23` of `etcd Version: 3.4.23` and more lines."""
    first = text.splitlines()[0] if text else ""
    return first.removeprefix("etcd Version:").strip() or "unknown"


def _start(servers: Servers, server: str) -> tuple[list[int], int]:
    """The members' ports for clients, and the leader's."""
    ports = free_ports(2 * MEMBERS)
    clients, peers = ports[:MEMBERS], ports[MEMBERS:]
    cluster = ",".join(f"member-{number}=http://{HOST}:{port}" for number, port in enumerate(peers))
    for number, (client, peer) in enumerate(zip(clients, peers, strict=True)):
        name = f"member-{number}"
        options = {
            "name": name,
            "data-dir": servers.folder / name,
            "listen-client-urls": f"http://{HOST}:{client}",
            "advertise-client-urls": f"http://{HOST}:{client}",
            "listen-peer-urls": f"http://{HOST}:{peer}",
            "initial-advertise-peer-urls": f"http://{HOST}:{peer}",
            "initial-cluster": cluster,
            "log-level": "error",
        }
        servers.start(name, [server, *(f"--{key}={value}" for key, value in options.items())])
    leader = servers.wait_for("an etcd leader", lambda: _leader(clients))
    return clients, leader


def _leader(ports: list[int]) -> int | None:
    """The port of the member that leads, when all know it."""
    statuses = [_ask(port, "maintenance/status", {}) for port in ports]
    if len({status.get("leader") for status in statuses}) != 1:
        return None
    leading = [
        port
        for port, status in zip(ports, statuses, strict=True)
        if status["header"]["member_id"] == status.get("leader")
    ]
    return leading[0] if leading else None


def _ask(port: int, path: str, question: dict[str, Any]) -> dict[str, Any]:
    """A question to the JSON gateway; raises OSError."""
    request = urllib.request.Request(f"http://{HOST}:{port}/v3/{path}", json.dumps(question).encode())
    with urllib.request.urlopen(request, timeout=ASK_TIMEOUT_S) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _complaint(follower: int, lanes: list[Lane], messages: list[Requests]) -> str:
    """Read back, linearizably, at a member that follows."""
    held = _everything(follower)
    for lane, one in zip(lanes, messages, strict=True):
        keys, expected = lane.sample(one.taken)
        wrong = compare([held.get(key) for key in keys], expected, f"etcd at port {follower}")
        if wrong:
            return wrong
    return ""


def _everything(port: int) -> dict[bytes, bytes]:
    """All keys and values, by pages."""
    held: dict[bytes, bytes] = {}
    begin = b"\0"
    while True:
        question = {"key": _text(begin), "range_end": _text(b"\0"), "limit": 10_000}
        page = _ask(port, "kv/range", question)
        held |= {base64.b64decode(one["key"]): base64.b64decode(one["value"]) for one in page.get("kvs", [])}
        if not page.get("more"):
            return held
        begin = max(held) + b"\0"


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
