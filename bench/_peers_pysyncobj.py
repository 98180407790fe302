"""PySyncObj: Raft in Python, a replicated dictionary in three processes, 1,000 calls in flight at the leader."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import _peers_pysyncobj_node as node
from bench._peers_measure import ONE_A_CALL, Entry, NotInstalled, Outcome, PeerFailed, Plan, Run, compare
from bench._peers_servers import HOST, Servers, free_ports
from bench._peers_work import Lane

SYSTEM = "PySyncObj"
PACKAGE = "pysyncobj"
HOW_TO_GET_IT = "pip install 'psmr[peers]'"
NODES = 3
IN_FLIGHT = 1000
_START = {"connectionRetryTime": 0.2}
"""A node that comes up before the others is not to wait 5 s for them; of no consequence later."""
_TUNED = {"autoTickPeriod": 0.0005, "appendEntriesPeriod": 0.002, "logCompactionMinEntries": 10_000_000}


def _entry(what: str, setup: str) -> Entry:
    return Entry(
        system=SYSTEM,
        work=f"ReplDict.set, {IN_FLIGHT:,} in flight, {what}",
        on_disk="no",
        client="in the leader's process: each answer's callback makes the next call",
        setup=f"3 processes, no journal, {setup}",
        like=ONE_A_CALL,
        durable=False,
        short=f"PySyncObj, {what}",
        in_quick=what == "tuned",
    )


_SHAPES: tuple[tuple[Entry, dict[str, float]], ...] = (
    (_entry("defaults", "defaults: ticks of 50 ms, log compacted every 5,000 entries"), {}),
    (_entry("tuned", "ticks of 0.5 ms, entries sent every 2 ms, log never compacted"), _TUNED),
)
ENTRIES = tuple(entry for entry, _ in _SHAPES)


def measure(plan: Plan, entries: Sequence[Entry]) -> Iterator[Outcome]:
    """Each entry with processes of its own."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise NotInstalled(HOW_TO_GET_IT)
    for entry in entries:
        with Servers() as servers:
            nodes = _start(servers, _SHAPES[ENTRIES.index(entry)][1])
            yield _measured(plan, servers, nodes)


def _measured(plan: Plan, servers: Servers, nodes: list[Node]) -> Outcome:
    leader = servers.wait_for("a PySyncObj leader", partial(_leader, nodes))
    return plan.measure(version(PACKAGE), leader.drive, lambda: _complaint(servers, nodes, leader))


class Node:
    """One process of the cluster, asked through its standard input."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.written = 0

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """A question and its answer, each a line of JSON; raises PeerFailed."""
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise PeerFailed("PySyncObj: expected pipes to a node, found none: start it as one that talks")
        try:
            into.write(json.dumps({"do": question, **arguments}).encode() + b"\n")
            into.flush()
        except BrokenPipeError:
            raise PeerFailed(f"PySyncObj: expected a node to ask, found that it ended ({question})") from None
        line = out.readline()
        if not line:
            raise PeerFailed(f"PySyncObj: expected an answer, found that the node ended ({question})")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise PeerFailed(f"PySyncObj: expected calls to succeed, found failure reason {answer['failed']}")
        return answer

    def has_applied(self, index: int) -> bool | None:
        """Whether it has what is in the log up to there; None if not yet."""
        return self.ask("status")["applied"] >= index or None

    def drive(self, seconds: float) -> Run:
        """A run in that process."""
        answer = self.ask("drive", seconds=seconds, in_flight=IN_FLIGHT)
        self.written += answer["commands"]
        return Run(answer["commands"], answer["seconds"], answer["latencies_us"])


def _start(servers: Servers, settings: dict[str, float]) -> list[Node]:
    addresses = [f"{HOST}:{port}" for port in free_ports(NODES)]
    top = str(Path(node.__file__).parents[1])
    nodes = []
    for number, address in enumerate(addresses):
        others = [other for other in addresses if other != address]
        word = json.dumps(
            {"import_from": [top, *sys.path], "self": address, "others": others, "settings": _START | settings}
        )
        command = [sys.executable, node.__file__, word]
        nodes.append(Node(servers.start(f"node-{number}", command, talks=True)))
    return nodes


def _leader(nodes: list[Node]) -> Node | None:
    """The node that leads, once every node is ready."""
    statuses = [one.ask("status") for one in nodes]
    leading = [one for one, status in zip(nodes, statuses, strict=True) if status["leads"]]
    return leading[0] if len(leading) == 1 and all(status["ready"] for status in statuses) else None


def _complaint(servers: Servers, nodes: list[Node], leader: Node) -> str:
    """Read back in every process, once it has applied what the leader has."""
    keys, expected = Lane(0).sample(leader.written)
    applied = leader.ask("status")["applied"]
    for number, one in enumerate(nodes):
        servers.wait_for(f"PySyncObj node {number} in step", partial(one.has_applied, applied))
        values = one.ask("get", keys=[key.decode() for key in keys])["values"]
        found = [None if value is None else value.encode() for value in values]
        wrong = compare(found, expected, f"PySyncObj node {number}")
        if wrong:
            return wrong
    return ""
