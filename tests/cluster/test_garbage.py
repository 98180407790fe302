"""Whatever arrives at a replica's sockets, it goes on serving, and counts what made no sense."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
import zmq
from cluster_support import PATIENCE_S, PATIENT, answers, replicas, settle, tcp_cluster, wait_until

from apps.kv import KV
from cdep import service_of
from proxies.layout import layout_of
from psmr.client.connecting import connect_blocking
from psmr.config import ClusterConfig
from psmr.core import batch
from psmr.core.raft import AppendEntries, VoteRequest
from psmr.core.reply import SEQUENCE_CONSUMED, BatchStatus, Reply
from psmr.replica.serve import cluster_id
from psmr.services import service_text
from psmr.storage import encode
from psmr.transport import client_protocol as protocol
from psmr.transport.framing import PREAMBLE, encode_head

pytestmark = pytest.mark.cluster
FORGED = 1 << 61
"""A number that no honest message carries."""
GREETING = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + bytes(16) + b"\0" + bytes(31)


def ready(socket_type: bytes) -> bytes:
    """A whole handshake: from here on, frames."""
    command = b"\5READY\x0bSocket-Type" + struct.pack(">I", len(socket_type)) + socket_type
    return GREETING + b"\4" + bytes([len(command)]) + command


BYTES = {
    "nothing": b"",
    "a web browser": b"GET / HTTP/1.1\r\nHost: replica\r\n\r\n",
    "noise": bytes(range(256)) * 64,
    "half a greeting": GREETING[:20],
    "another mechanism": GREETING.replace(b"NULL", b"CURV"),
    "another kind of socket": ready(b"SUB"),
}
FRAMES = {
    "nothing": b"",
    "a frame that never ends": b"\2" + struct.pack(">Q", 1 << 62),
    "a frame above the limit": b"\2" + struct.pack(">Q", (288 << 20) + 1) + b"PSMB",
    "a frame cut short": b"\0\xffPSMB",
    "a message cut short": b"\1\4PSMB",
    "an unknown command": b"\4\5\4WHAT",
    "reserved flags": b"\xf8\4PSMB",
}


PEER_FRAMES = {
    "nothing": b"",
    "no frames": struct.pack("<I", 0),
    "frames without end": struct.pack("<I", (1 << 32) - 1),
    "a frame above the limit": struct.pack("<II", 1, (288 << 20) + 1) + b"PSMB",
    "a message cut short": struct.pack("<III", 2, 4, 200) + b"PSMB",
    "sizes cut short": struct.pack("<II", 3, 4),
}


@dataclass(frozen=True)
class Target:
    """A running cluster, and the state that no garbage may change."""

    config: ClusterConfig

    def said(self, key: str) -> list[int]:
        """A figure of each replica's status."""
        return [int(status.get(key)) for status in answers(self.config)]

    def malformed(self) -> list[int]:
        """How much each replica has counted."""
        return self.said("malformed")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    config = tcp_cluster(service_text(KV), tmp_path_factory.mktemp("garbage"))
    with replicas(config):
        yield Target(config)


@pytest.fixture(autouse=True)
def _unharmed(target: Target) -> Iterator[None]:
    """After each test the same processes serve, with what they held before, and agree."""
    addresses = [replica.clients for replica in target.config.replicas]
    with connect_blocking(KV, addresses, **PATIENT) as kv:
        kv.put(b"held", b"before")
        before = target.said("pid")
        yield
        assert kv.get(b"held") == b"before"
        kv.delete(b"held")
        assert kv.size() == 0
    (*statuses,) = settle(target.config)
    assert [status.get("pid") for status in statuses] == before
    assert all(int(status.get("uptime_us")) > 0 for status in statuses)


@pytest.mark.parametrize("sent", BYTES.values(), ids=BYTES.keys())
def test_bytes_that_are_no_message_are_ignored(target: Target, sent: bytes) -> None:
    for replica in target.config.replicas:
        for address in (replica.clients, replica.peers):
            with tcp(address) as connection:
                connection.sendall(sent)


@pytest.mark.parametrize("sent", FRAMES.values(), ids=FRAMES.keys())
def test_frames_that_make_no_message_are_ignored(target: Target, sent: bytes) -> None:
    for replica in target.config.replicas:
        with tcp(replica.clients) as connection:
            connection.sendall(ready(b"DEALER"))
            heard = b""
            while b"READY" not in heard:
                heard += (piece := connection.recv(4096))
                assert piece, f"expected a handshake, found {heard!r}"
            connection.sendall(sent)


@pytest.mark.parametrize("sent", PEER_FRAMES.values(), ids=PEER_FRAMES.keys())
def test_streams_between_replicas_that_make_no_message_are_ignored(target: Target, sent: bytes) -> None:
    for replica in target.config.replicas:
        with tcp(replica.peers) as connection:
            connection.sendall(PREAMBLE + sent)


@contextlib.contextmanager
def tcp(address: str) -> Iterator[socket.socket]:
    """A connection, on which nothing more is said in the end, and which the other side then closes."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        yield connection
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass


# Messages to the clients' socket


def good_batch(sequence: int = 1, session: int = 1) -> bytes:
    """A put, as a client sends it, of a session that nobody opened."""
    service = service_of(KV)
    stride = layout_of(service).stride
    record = np.zeros(stride, np.uint8).tobytes()
    return batch.encode(batch.KIND_COMMANDS, service.fingerprint, session, sequence, 0, stride, record, 1, b"")


def turned(data: bytes, place: int) -> bytes:
    """The bytes with one bit turned."""
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def nonsense() -> dict[str, list[bytes]]:
    """Messages that a replica answers with an error."""
    hello = protocol.encode_hello("KV", service_of(KV).fingerprint)
    whole = good_batch()
    return {
        "empty": [b""],
        "three frames": [b"\1", b"\2", b"\3"],
        "an unknown kind": [b"\7", b""],
        "a reply": [b"\3", msgspec.msgpack.encode([{}])],
        "a hello without fields": [b"\1", b""],
        "a hello of other types": [b"\1", msgspec.msgpack.encode([{}, [], None])],
        "a hello nested deeply": [b"\1", b"\x94\1\xa1K\1" + b"\x91" * 1_000_000 + b"\xc0"],
        "a hello cut short": [hello[0], hello[1][:-3]],
        "a batch cut short": [whole[:-8]],
        "a batch's header": [whole[:64]],
        "a batch with a bit turned in its header": [turned(whole, 17)],
        "a batch with a bit turned in its records": [turned(whole, 70)],
        "two batches": [whole + whole],
        "a batch of another version": [turned(whole, 4)],
        "a batch of an unknown kind": [turned(whole, 5)],
        "a batch that says it is huge": [whole[:40] + b"\xff" * 8 + whole[48:]],
        "magic and nothing else": [whole[:4] + bytes(1000)],
    }


@contextlib.contextmanager
def dealer(address: str) -> Iterator[zmq.Socket[bytes]]:
    """A client's socket."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as made:
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
        made.connect(address)
        yield made


def test_messages_that_make_no_sense_are_answered_and_counted(target: Target) -> None:
    for place, replica in enumerate(target.config.replicas):
        before = target.malformed()[place]
        with dealer(replica.clients) as client:
            for number, (what, frames) in enumerate(nonsense().items(), start=1):
                client.send_multipart(frames)
                answer = protocol.decode_response(client.recv_multipart())
                assert isinstance(answer, protocol.ErrorText), what
                assert target.malformed()[place] == before + number, what


def ask_for(client: zmq.Socket[bytes], frames: list[bytes]) -> Reply:
    """The reply to a batch."""
    client.send_multipart(frames)
    answer = protocol.decode_response(client.recv_multipart())
    assert isinstance(answer, protocol.Answer), answer
    return answer.reply


def test_batches_that_no_client_sends_are_refused_alike(target: Target) -> None:
    service, stride = service_of(KV), layout_of(service_of(KV)).stride
    address = target.config.replicas[0].clients
    with dealer(address) as client:
        opened = ask_for(client, [batch.encode_open(service.fingerprint, 99)])
        assert (opened.status, opened.sequence) == (BatchStatus.OPENED, 99)
        session = opened.session

        def send(sequence: int, record: bytes, blob: bytes = b"", fingerprint: int = service.fingerprint) -> Reply:
            kind = batch.KIND_COMMANDS
            count = len(record) // stride
            return ask_for(client, [batch.encode(kind, fingerprint, session, sequence, 0, stride, record, count, blob)])

        unknown_command = b"\xff\xff" + bytes(stride - 2)
        outside_the_blob = b"\1\0" + b"\xff" * (stride - 2)
        assert ask_for(client, [good_batch(session=12345)]).status is BatchStatus.UNKNOWN_SESSION
        assert send(7, bytes(stride)).status is BatchStatus.OUT_OF_ORDER
        foreign = send(1, bytes(stride), fingerprint=1)
        assert (foreign.status, foreign.detail) == (BatchStatus.MALFORMED, SEQUENCE_CONSUMED)
        assert "which the cluster runs" in foreign.text()
        for sequence, record in enumerate((unknown_command, outside_the_blob), start=2):
            reply = send(sequence, record)
            assert reply.status is BatchStatus.MALFORMED, record
            assert "expected a command of KV with its arguments in range" in reply.text()
        short = batch.encode(batch.KIND_COMMANDS, service.fingerprint, session, 4, 0, 8, bytes(8), 1, b"")
        assert ask_for(client, [short]).status is BatchStatus.MALFORMED
        assert send(5, bytes(stride)).status is BatchStatus.EXECUTED


def test_a_message_too_large_is_not_even_received(target: Target) -> None:
    replica = target.config.replicas[0]
    with dealer(replica.clients) as client:
        client.send(good_batch()[:64] + bytes(protocol.FRAME_BYTES_MAX))
    with dealer(replica.clients) as client:
        client.send_multipart(protocol.encode_ask_status(False))
        assert isinstance(protocol.decode_response(client.recv_multipart()), protocol.StatusIs)


def test_many_frames_make_no_message(target: Target) -> None:
    with dealer(target.config.replicas[0].clients) as client:
        client.send_multipart([b"frame"] * 10_000)
        assert isinstance(protocol.decode_response(client.recv_multipart()), protocol.ErrorText)


# Messages to the peers' socket


def from_strangers(config: ClusterConfig) -> dict[str, list[bytes]]:
    """What no replica of this cluster sends to replica 1."""
    ours, pack = cluster_id(config), msgspec.msgpack.encode
    append = AppendEntries(term=1, round=1, prev_index=0, prev_term=0, entry_terms=(1,), commit=1)
    record = encode(1, 1, 1, b"forged")
    return {
        "nothing": [b""],
        "text": [b"GET / HTTP/1.1\r\n\r\n"],
        "noise": [bytes(range(256)), b"more", b"and more"],
        "a message of no kind": [pack([ours, 2, [99, 1]])],
        "fields nested deeply": [b"\x94" + pack(ours) + b"\2\xc0" + b"\x91" * 1_000_000 + b"\xc0"],
        "another cluster's vote": [pack([ours ^ 1, 2, VoteRequest(1 << 40, 1 << 40, 1 << 40)])],
        "another cluster's payload": [pack([ours ^ 1, 2, None]), good_batch()],
        "no member's vote": [pack([ours, 9, VoteRequest(1 << 40, 1 << 40, 1 << 40)])],
        "its own vote": [pack([ours, 1, VoteRequest(1 << 40, 1 << 40, 1 << 40)])],
        "a damaged record": [pack([ours, 2, append]), turned(record, 44)],
        "a record cut short": [pack([ours, 2, append]), record[:-8]],
        "another index": [pack([ours, 2, append]), encode(2, 1, 1, b"forged")],
        "records missing": [pack([ours, 2, append])],
    }


def test_strangers_among_the_peers_are_counted(target: Target) -> None:
    for what, frames in from_strangers(target.config).items():
        before = target.malformed()[0]
        send_as_peer(target.config.replicas[0].peers, frames, lambda at=before: target.malformed()[0] != at, what)
        assert target.malformed()[0] == before + 1, what


def test_a_forged_leader_changes_nothing(target: Target) -> None:
    """Numbers no leader can have, from a member's name: dropped by the protocol itself, not counted."""
    ours, pack = cluster_id(target.config), msgspec.msgpack.encode
    (term, *_), (last, *_) = target.said("term"), target.said("committed")
    forged = [
        AppendEntries(term=term, round=-1, prev_index=0, prev_term=0, entry_terms=(), commit=FORGED),
        AppendEntries(term=term, round=1, prev_index=-5, prev_term=0, entry_terms=(), commit=0),
        AppendEntries(term=0, round=1, prev_index=0, prev_term=0, entry_terms=(), commit=0),
        AppendEntries(term=2 * FORGED, round=1, prev_index=0, prev_term=0, entry_terms=(), commit=0),
        AppendEntries(term=term, round=1, prev_index=last, prev_term=FORGED, entry_terms=(), commit=0),
        VoteRequest(-1, 1, 1),
        VoteRequest(1, 1 << 63, 1),
    ]
    before = target.malformed()[0]
    sent = [[pack([ours, 2, message])] for message in forged]
    with as_peer(target.config.replicas[0].peers, [*sent, [b"end"]]):
        wait_until(lambda: target.malformed()[0] == before + 1, "what was sent last to be counted")
    # The replicas may have elected a leader meanwhile, as they do, one term after the other.
    assert term <= target.said("term")[0] < FORGED // 2


@contextlib.contextmanager
def as_peer(address: str, messages: list[list[bytes]]) -> Iterator[None]:
    """A connection as replicas make them, on which these messages are sent."""
    with tcp(address) as connection:
        connection.sendall(PREAMBLE + b"".join(encode_head(frames) + b"".join(frames) for frames in messages))
        yield


def send_as_peer(address: str, frames: list[bytes], reached: Callable[[], bool], what: str) -> None:
    with as_peer(address, [frames]):
        wait_until(reached, f"{what} to be counted")
