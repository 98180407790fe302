"""The comparison with other systems: their servers leave nothing behind, protocols are spoken right, wrong answers are seen.

That it runs as a whole is tested with the other benchmarks.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cluster_support import ending, wait_until

from bench import _peers_etcd, _peers_nats, _peers_pysyncobj, _peers_redis, _peers_servers, peers
from bench._peers_grpc import DATA, END_STREAM, HEADERS, PING, GrpcCalls, frame, frames, header_block
from bench._peers_loop import drive
from bench._peers_measure import FAILED, NOT_INSTALLED, Entry, Outcome, PeerFailed, Plan, Run, compare, round_of, row_of
from bench._peers_nats_socket import Puts, check_answer, operations
from bench._peers_report import compared, targets
from bench._peers_servers import Servers, free_ports
from bench._peers_work import GENERATIONS, KEYS, Lane, requests

SILENT = Plan(0.2, 0.05, lambda _: None)
OTHERS = (_peers_redis, _peers_etcd, _peers_nats, _peers_pysyncobj)
SLEEP = ["/bin/sleep", "1000"]


def entry(system: str = "Redis", **changes: Any) -> Entry:
    described = {"work": "w", "on_disk": "no", "client": "c", "setup": "s", "like": "columns", "durable": False}
    return Entry(system=system, **{**described, "short": "x", **changes})


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end of a connection, and a server's."""
    client, server = socket.socketpair()
    with client, server:
        client.settimeout(10)
        server.settimeout(10)
        yield client, server


# The work


def test_what_a_lane_leaves_behind_is_what_its_writes_say() -> None:
    lane = Lane(0, number=1, lanes=3, keys=20)
    keys, values = lane.writes(ahead=4)
    assert (len(lane), len(keys)) == (7, 7 * GENERATIONS + 4)
    held: dict[bytes, bytes] = {}
    for written in range(2 * GENERATIONS * len(lane)):
        assert [held.get(key.tobytes()) for key in lane.keys] == [lane.expected(written, place) for place in range(7)]
        place = written % (len(lane) * GENERATIONS)
        held[keys[place].tobytes()] = values[place].tobytes()
    # The rows ahead are the first ones again, so that a slice may run over the end.
    assert (keys[-4:] == keys[:4]).all()
    assert (values[-4:] == values[:4]).all()


def test_lanes_share_out_all_keys_and_other_work_has_others() -> None:
    lanes = [Lane(0, number, 4) for number in range(4)] + [Lane(1)]
    names = np.concatenate([lane.keys for lane in lanes])
    assert len({name.tobytes() for name in names}) == 2 * KEYS


def test_values_change_from_round_to_round() -> None:
    lane = Lane(0, keys=5)
    assert len({lane.expected(round_ * 5, 2) for round_ in range(1, GENERATIONS + 1)}) == GENERATIONS
    assert lane.expected(2, 2) is None


def test_requests_come_in_order_and_run_over_the_end() -> None:
    lane = Lane(0, keys=3)
    written = requests(lane, 2, b"[", "key", b"=", "value", b"]")
    sent = b"".join(bytes(written.take(2)) for _ in range(3 * GENERATIONS))
    first = b"[%b=%b]" % (lane.keys[0].tobytes(), lane.values[0, 0].tobytes())
    assert sent[: len(first)] == first == sent[len(sent) // 2 :][: len(first)]
    assert written.taken == 6 * GENERATIONS


def test_values_that_differ_are_told() -> None:
    assert compare([b"a", None], [b"a", None], "there") == ""
    assert compare([b"a", b"x"], [b"a", b"b"], "there") == "there: 1 of 2 values differ: expected b'b', found b'x'"
    assert "expected 2 values, found 1" in compare([b"a"], [b"a", b"b"], "there")


# Protocols


def test_redis_is_sent_pipelines_and_its_answers_are_checked(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    pipeline = _peers_redis.Pipeline(client, Lane(0, keys=300))
    pipeline.send(0.0)
    pipeline.send(0.0)
    assert pipeline.in_flight() == 1
    sent = server.recv(1 << 20, socket.MSG_WAITALL | socket.MSG_PEEK)
    assert sent.startswith(b"*3\r\n$3\r\nSET\r\n$16\r\n" + pipeline.lane.keys[0].tobytes() + b"\r\n$32\r\n")
    server.sendall(b"+OK\r\n" * 255)
    assert pipeline.receive(1.0) == []
    server.sendall(b"+OK\r\n:2\r\n")
    assert pipeline.receive(2.0) == [2.0]
    for wrong in (b"+OK\r\n" * 256 + b":0\r\n", b"-OOM\r\n" + b"+OK\r\n" * 255 + b":1\r\n"):
        with pytest.raises(PeerFailed, match="expected 256 times OK"):
            _peers_redis.check_answer(wrong)


def test_etcd_messages_are_protocol_buffers() -> None:
    lane = Lane(0, keys=4)
    put = b"\x0a\x10" + lane.keys[0].tobytes() + b"\x12\x20" + lane.values[0, 0].tobytes()
    assert bytes(_peers_etcd.encoded(lane, 1).take(1)) == put
    operation = b"\x12" + bytes((len(put),)) + put
    two = bytes(_peers_etcd.encoded(lane, 2).take(2))
    assert two.startswith(b"\x12" + bytes((len(operation),)) + operation + b"\x12")
    assert len(two) == 2 * (2 + len(operation))


def test_frames_are_taken_apart_as_they_were_put_together() -> None:
    sent = frame(DATA, END_STREAM, 5, b"abc") + frame(PING, 0, 0, bytes(8))
    assert frames(sent + b"\0\0") == ([(DATA, END_STREAM, 5, b"abc"), (PING, 0, 0, bytes(8))], b"\0\0")
    assert frames(sent[:-1]) == ([(DATA, END_STREAM, 5, b"abc")], sent[12:-1])
    assert header_block(b"h", b"/p").startswith(b"\x83\x86\x04\x02/p\x01\x01h\x00\x0ccontent-type\x10application/grpc")


def test_a_call_is_answered_or_fails(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    calls = GrpcCalls(client, b"/p", requests(Lane(0, keys=9), 1, "key"), 1, window=2)
    calls.send(1.0)
    assert calls.in_flight() == 2
    _, rest = server.recv(1 << 16), frame(DATA, 0, 3, struct.pack(">BI", 0, 0))
    server.sendall(frame(PING, 0, 0, b"12345678") + frame(HEADERS, 4, 3, b"ok") + rest)
    assert calls.receive(2.0) == []
    assert frames(server.recv(1 << 16))[0] == [(PING, 1, 0, b"12345678")]
    server.sendall(frame(HEADERS, 5, 3, b"trailers"))
    assert calls.receive(4.0) == [3.0]
    server.sendall(frame(HEADERS, 5, 1, b"grpc-status 14"))
    with pytest.raises(PeerFailed, match="grpc-status 14"):
        calls.receive(5.0)


def test_nats_operations_are_taken_apart() -> None:
    stored = b'MSG _INBOX.puts 1 26\r\n{"stream":"KV_b", "seq":7}\r\n'
    taken, rest = operations(b"PING\r\n" + stored + stored[:-3])
    assert (taken, rest) == ([(b"PING", b""), (b"MSG", b'{"stream":"KV_b", "seq":7}')], stored[:-3])
    check_answer(taken[1][1])
    with pytest.raises(PeerFailed, match="maximum"):
        check_answer(b'{"error":{"description":"maximum bytes exceeded"},"stream":"KV_b","seq":0}')


def test_nats_puts_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    server.sendall(b"INFO {}\r\nPONG\r\n")
    puts = Puts(client, Lane(0, keys=9), window=2)
    puts.send(1.0)
    key, value = puts.lane.keys[0].tobytes(), puts.lane.values[0, 0].tobytes()
    assert b"PUB $KV.bench.%b _INBOX.puts 32\r\n%b\r\n" % (key, value) in server.recv(1 << 16)
    server.sendall(b'MSG _INBOX.puts 1 9\r\n{"seq":1}\r\n')
    assert (puts.receive(2.0), puts.in_flight(), puts.written) == ([1.0], 1, 2)
    server.sendall(b"-ERR 'Authorization Violation'\r\n")
    with pytest.raises(PeerFailed, match="Authorization"):
        puts.receive(3.0)


def test_versions_are_read() -> None:
    assert _peers_redis.server_version("Redis server v=7.0.15 sha=0:0 malloc=jemalloc bits=64") == "7.0.15"
    assert _peers_etcd.server_version("etcd Version: 3.4.23\nGit SHA: x\n") == "3.4.23"
    assert _peers_nats.server_version("nats-server: v2.11.4\n") == "2.11.4"


def test_a_server_of_nats_knows_its_place(tmp_path: Path) -> None:
    text = _peers_nats.configuration(1, 4222, [1, 2, 3], tmp_path, "always")
    assert 'listen: "127.0.0.1:4222"' in text
    assert 'listen: "127.0.0.1:2", routes: ["nats://127.0.0.1:1", "nats://127.0.0.1:2", "nats://127.0.0.1:3"]' in text
    assert 'sync_interval: "always"' in text


# Servers


def interrupted(started: list[Any]) -> None:
    with Servers() as servers:
        started += [servers.start("one", SLEEP), servers.folder]
        assert servers.folder.is_dir()
        raise KeyboardInterrupt


@pytest.mark.cluster
def test_servers_and_their_folder_go() -> None:
    started: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(started)
    process, folder = started
    assert process.poll() == -signal.SIGKILL
    assert not folder.exists()


@pytest.mark.cluster
def test_servers_and_their_folder_go_even_if_nobody_is_left_to_see_to_it() -> None:
    start = f"s.start('x', {SLEEP}).pid, s.folder"
    script = f"from bench._peers_servers import *\nwith Servers() as s: print({start}, flush=True), input()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, **pipes) as owner:
        assert owner.stdout is not None
        server, folder = owner.stdout.readline().split()
        with ending({int(server): "the server"}):
            owner.kill()
    wait_until(lambda: not Path(folder).exists(), "the folder to go")


@pytest.mark.cluster
def test_a_server_that_ends_is_not_waited_for() -> None:
    with Servers() as servers:
        servers.start("short", ["/bin/sh", "-c", "echo no room >&2"])
        with pytest.raises(PeerFailed, match="expected short to run, found that it ended: no room"):
            servers.wait_for("an answer", lambda: None)


def test_ports_are_free_and_differ() -> None:
    ports = free_ports(9)
    assert len(set(ports)) == 9
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[0]))


# Rows


@pytest.mark.cluster
@pytest.mark.parametrize("peer", OTHERS, ids=lambda peer: peer.SYSTEM)
def test_what_is_installed_is_measured_and_answers_right(peer: ModuleType) -> None:
    entries = [one for one in peer.ENTRIES if one.in_quick]
    for outcome in round_of(peer, SILENT, entries):
        if outcome.state == NOT_INSTALLED:
            pytest.skip(outcome.reason)
        assert (outcome.reason, outcome.complaint) == ("", "")
        assert outcome.run is not None
        assert outcome.run.commands > 0


def test_what_is_missing_gives_rows_that_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_peers_servers.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(_peers_pysyncobj, "PACKAGE", "no_such_package")
    monkeypatch.setattr(peers, "PEERS", OTHERS)
    result = peers.run(False, lambda _: None)
    assert len(result["rows"]) == sum(len(peer.ENTRIES) for peer in OTHERS)
    assert {(row["state"], row["reason"]) for row in result["rows"]} == {
        (NOT_INSTALLED, peer.HOW_TO_GET_IT) for peer in OTHERS
    }
    assert peers.passed(result)
    assert any("not installed: apt-get install" in cell for row in peers.table(result) for cell in row)
    assert [one["found"] for one in result["targets"]] == [None] * 4


class Halfway:
    """A peer whose first entry is measured and whose second fails."""

    ENTRIES = (entry(work="one"), entry(work="two"))

    def measure(self, plan: Plan, entries: object) -> Iterator[Outcome]:
        yield plan.measure("1.0", lambda seconds: Run(10, seconds, [1.0]), lambda: "it forgot")
        raise ConnectionResetError("gone")


def test_a_peer_that_fails_or_forgets_is_seen() -> None:
    outcomes = round_of(Halfway(), SILENT, Halfway.ENTRIES)
    rows = [row_of(one, [outcome] * 3) for one, outcome in zip(Halfway.ENTRIES, outcomes, strict=True)]
    assert [(row["state"], row.get("complaint"), row.get("reason")) for row in rows] == [
        ("measured", "it forgot", None),
        (FAILED, None, "gone"),
    ]
    good = {**rows[0], "complaint": ""}
    assert [peers.passed({"rows": [row]}) for row in (good, *rows)] == [True, False, False]
    assert [row[-1] for row in peers.table({"rows": compared(rows, "psmr")})] == ["answers", "it forgot", ""]


def test_ratios_are_of_like_with_like() -> None:
    def measured(rate: int, **changes: Any) -> dict[str, Any]:
        return row_of(entry(**changes), [Outcome("measured", "1.0", Run(rate, 1.0, [5.0]))])

    rows = [
        measured(900, system="psmr", durable=True),
        measured(60, system="psmr", durable=True, like="one a call"),
        measured(100, short="Redis, AOF always", durable=True),
        measured(300, durable=True),
        measured(120, system="etcd", durable=True, like="one a call"),
        measured(5, durable=False),
    ]
    assert [row["ratio"] for row in compared(rows, "psmr")] == [None, None, 9.0, 3.0, 0.5, None]
    assert [one["found"] for one in targets(rows, "psmr")] == [9.0, None, None, None]


def test_every_row_has_a_place_in_a_plot() -> None:
    outcome = Outcome("measured", "1.0", Run(3, 1.0, [1234.0]))
    rows = [row_of(one, [outcome]) for peer in peers.PEERS for one in peer.ENTRIES]
    plots = peers.plots({"rows": rows})
    assert sum(len(plot.curves) for plot in plots) == len(rows)
    assert {one["found"] for one in targets(rows, "psmr")} == {1.0}
    assert {tuple(points) for plot in plots for points in plot.curves.values()} == {((1.2, 3),)}


def test_silence_is_not_waited_out_for_ever(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench._peers_loop.SILENCE_MAX_S", 0.01)
    with pytest.raises(PeerFailed, match="expected an answer within"):
        drive([_peers_redis.Pipeline(ends[0], Lane(0, keys=300))], 10.0)
