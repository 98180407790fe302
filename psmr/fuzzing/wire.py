"""What comes over sockets: messages between replicas, and between clients and replicas."""

from __future__ import annotations

import json
from typing import Any

from psmr.core.batch import HEADER_BYTES, KIND_COMMANDS, encode, encode_open
from psmr.core.divergence_messages import (
    DigestsAsked,
    DigestsGiven,
    DigestTold,
    DivergenceFound,
    RowsAsked,
    RowsGiven,
    StepAsked,
    StepGiven,
)
from psmr.core.raft import (
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    HardState,
    LogTerms,
    Membership,
    PreVoteReply,
    PreVoteRequest,
    Propose,
    Raft,
    Receive,
    Role,
    Settings,
    Synced,
    Tick,
    VoteReply,
    VoteRequest,
)
from psmr.core.raft.messages import NUMBER_MAX
from psmr.core.reply import BatchStatus, encode_reply
from psmr.core.rolling import FORM
from psmr.core.roster import Roster, Seat, encode_roster
from psmr.errors import PsmrError
from psmr.fuzzing.target import Target, pack_frames, unpack_frames
from psmr.log.opening import entries_of
from psmr.storage import record
from psmr.transport import client_protocol as protocol
from psmr.transport.peers import (
    OTHER_MESSAGES,
    ConfirmAnswered,
    ConfirmAsked,
    Content,
    PeerMessage,
    SnapshotAsked,
    SnapshotOffered,
    SnapshotPart,
    decode_message,
    encode_message,
)

CLUSTER_ID = 0x1122334455667788
PEERS = (1, 2)
_ME = 3
_TERMS = ((1, 1), (4, 2), (6, 4))
_LAST_INDEX = 8
_BASE_INDEX = 2
_MSGPACK = (
    b"\xc0",
    b"\xc1",
    b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + bytes(7),
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
)
_DEEP = (b"\x91" * 3000, b"\x81\xa1a" * 3000)
_TOKENS = (
    *_MSGPACK,
    *_DEEP,
    b"\xc7\x0c\xff" + b"\xff" * 12,
    b"\xd6\xff\xff\xff\xff\xff",
    b"\xca\x7f\xc0\x00\x00",
    b"\xa2\xff\xfe",
)


class Malformed(PsmrError):
    """What the replica counts as malformed and drops."""


def _raft_messages() -> list[tuple[Content | None, list[bytes]]]:
    entries = [record.encode(_LAST_INDEX + 1 + place, 4, 1_000 + place, b"payload" * place) for place in range(3)]
    return [
        (PreVoteRequest(4, 8, 4), []),
        (PreVoteReply(4, 5, True), []),
        (VoteRequest(5, 9, 4), []),
        (VoteReply(5, True), []),
        (AppendEntries(4, 7, _LAST_INDEX, 4, (4, 4, 4), 8), entries),
        (AppendEntries(5, 1, 5, 2, (4,), 3), [record.encode(6, 4, 5, b"")]),
        (AppendEntries(4, 8, _LAST_INDEX, 4, (), 6), []),
        (AppendAccepted(4, 7, 6, 8), []),
        (AppendRejected(4, 7, 8, 5, 2), []),
        (AppendEntries(4, 8, _LAST_INDEX, 4, (4,), 8), [record.encode(_LAST_INDEX + 1, 4, 1_000, _roster())]),
        (ConfirmAsked(77), []),
        (ConfirmAnswered(77, 12), []),
        (None, [encode_open(5, 6), encode_open(5, 7)]),
        (SnapshotOffered(5, 90, 5_000), []),
        (SnapshotAsked(90, 64, 256), []),
        (SnapshotPart(90, 64), [bytes(256)]),
        *_divergence_messages(),
    ]


def _divergence_messages() -> list[tuple[Content | None, list[bytes]]]:
    return [
        (DigestTold(FORM, 0, 70, (1 << 64) - 1), []),
        (DigestsAsked((70, 60, 50)), []),
        (DigestsGiven(FORM, 0, 4, (70, 60, 50), (9, 1 << 63, None)), []),
        (RowsAsked(61), []),
        (RowsGiven(61), [bytes(range(64))]),
        (StepAsked(61, 3), []),
        (StepGiven(61, 3), [b'{"steps": []}']),
        (DivergenceFound(61), [b'{"index": 61}']),
    ]


def _roster() -> bytes:
    return encode_roster(Roster(tuple(Seat(each, f"ipc://@{each}-p", f"ipc://@{each}-c") for each in (*PEERS, _ME, 9))))


def _peer_corpus(only_raft: bool = False) -> tuple[bytes, ...]:
    chosen = _raft_messages()[:10] if only_raft else _raft_messages()
    messages = (encode_message(CLUSTER_ID, sender, *each) for each in chosen for sender in PEERS)
    return tuple(pack_frames(frames) for frames in messages)


def _decode_peer(data: bytes) -> PeerMessage:
    message = decode_message(unpack_frames(data), CLUSTER_ID, PEERS)
    if message is None:
        raise Malformed
    return message


def _wrong_peer(data: bytes, message: PeerMessage) -> str | None:
    """Encoded again it must decode to an equal one; surplus fields of a newer version are skipped, so bytes may differ."""
    frames = encode_message(CLUSTER_ID, message.sender, message.message, message.payloads)
    again = decode_message(frames, CLUSTER_ID, PEERS)
    if again is None or (again.message, again.payloads) != (message.message, unpack_frames(data)[1:]):
        return f"{message!r} became {again!r}"
    return None


def peers() -> Target:
    """Frames between replicas."""
    return Target("peers", _peer_corpus(), _decode_peer, (Malformed,), _wrong_peer, tokens=_TOKENS)


def _seal_records(data: bytearray) -> None:
    """Put right the checksum of every record that lies whole in a frame."""
    at = 0
    while at + 4 <= len(data):
        stop = at + 4 + int.from_bytes(data[at : at + 4], "little")
        seal_record(data, at + 4, min(stop, len(data)))
        at = stop


def seal_record(data: bytearray, at: int, stop: int) -> int:
    """Put right the checksum of the record at `at`, if it ends before `stop`; where it ends, or `stop`."""
    if stop - at < record.HEADER_BYTES or data[at : at + 4] != record.MAGIC.to_bytes(4, "little"):
        return stop
    _, length, index, term, time_us, _ = record.HEADER.unpack_from(data, at)
    end = at + record.padded_bytes(length)
    if end > stop:
        return stop
    body = at + record.HEADER_BYTES
    data[at:end] = record.encode(index, term, time_us, bytes(data[body : body + length]))
    return end


def _node(role: Role) -> Raft:
    """A member that follows replica 1, stands for election, or leads."""
    terms = LogTerms(_TERMS, _LAST_INDEX)
    terms.compact(_BASE_INDEX)
    raft = Raft(_ME, ((0, Membership((*PEERS, _ME))),), 1, HardState(4, None), terms, Settings())
    raft.handle(Tick(0))
    if role is Role.FOLLOWER:
        raft.handle(Receive(1, AppendEntries(4, 1, 6, 4, (), 5), ()))
        return raft
    raft.handle(Tick(raft.next_deadline_us))
    if role is Role.PRE_CANDIDATE:
        return raft
    raft.handle(Receive(1, PreVoteReply(4, 5, True), ()))
    raft.handle(Receive(1, VoteReply(5, True), ()))
    raft.handle(Propose((b"one", b"two")))
    raft.handle(Synced(raft.last_index, 5))
    return raft


_ROLES = (Role.FOLLOWER, Role.PRE_CANDIDATE, Role.LEADER)


def _decode_raft(data: bytes) -> Raft:
    """The message reaches a member, which must keep its invariants; whose role the input's length decides."""
    received = _decode_peer(data)
    message = received.message
    if message is None or isinstance(message, OTHER_MESSAGES):
        raise Malformed
    arrival = Receive(received.sender, message)
    if isinstance(message, AppendEntries):
        entries = entries_of(message, received.payloads)
        if entries is None:
            raise Malformed
        arrival = Receive(received.sender, message, *entries)
    raft = _node(_ROLES[len(data) % 3])
    raft.handle(arrival)
    return raft


def _wrong_raft(_: bytes, raft: Raft) -> str | None:
    raft.validate()
    raft.handle(Tick(raft.next_deadline_us))
    raft.validate()
    return None if raft.term <= NUMBER_MAX and raft.last_index < NUMBER_MAX else raft.describe()


def raft() -> Target:
    """Frames between replicas, as far as into the member of the Raft group that takes them in."""
    return Target("raft", _peer_corpus(only_raft=True), _decode_raft, (Malformed,), _wrong_raft, _seal_records, _TOKENS)


def _batch() -> bytes:
    return encode(KIND_COMMANDS, 5, 6, 7, 3, 16, bytes(32), 2, b"blob")


def requests() -> Target:
    """What clients send to a replica."""
    corpus = [
        protocol.encode_hello("bank", 0xFFEE),
        protocol.encode_ask_status(True),
        protocol.encode_control(protocol.AskChange("add", 4, "ipc://@4-p", "ipc://@4-c")),
        protocol.encode_control(protocol.AskUpgrade(1 << 63, "KV", 2, [("values", "Map(u64, u64, capacity=9)")])),
        protocol.encode_control(protocol.AskEvents(1 << 63, 1 << 40, 256 << 10)),
        protocol.encode_submit(_batch()),
        protocol.encode_submit(encode_open(5, 6)),
    ]
    refusals = (protocol.MalformedMessage,)
    return Target(
        "requests", tuple(map(pack_frames, corpus)), _decode_request, refusals, _wrong_request, tokens=_TOKENS
    )


def _decode_request(data: bytes) -> protocol.Request:
    return protocol.decode_request(unpack_frames(data))


def _wrong_request(_: bytes, request: protocol.Request) -> str | None:
    if isinstance(request, protocol.Submit):
        inside = HEADER_BYTES <= len(request.batch) <= protocol.FRAME_BYTES_MAX
        return None if inside else f"a batch of {len(request.batch)} bytes"
    return (
        None
        if protocol.decode_request(protocol.encode_control(request)) == request
        else f"{request!r} is another when encoded again"
    )


def responses() -> Target:
    """What replicas send to a client."""
    status: dict[str, Any] = {"role": "leader", "workers": [1, 2], "load": 0.5, "nothing": None, "more": {"a": True}}
    corpus = [
        protocol.encode_welcome("bank", 1, 2, [(1, "tcp://a:1"), (2, "tcp://b:2")]),
        protocol.encode_welcome("bank", 1, None, []),
        protocol.encode_mismatch("another service"),
        protocol.encode_status(status),
        protocol.encode_error("no batch"),
        protocol.encode_control(protocol.EventsAre(1 << 40, 9, 1 << 41, bytes(90))),
        protocol.encode_reply_message(encode_reply(1, 2, BatchStatus.EXECUTED, 16, bytes(32), 2, b"blob")),
        protocol.encode_reply_message(encode_reply(1, 2, BatchStatus.REFUSED, blob=b"because")),
    ]
    refusals = (protocol.MalformedMessage,)
    return Target(
        "responses", tuple(map(pack_frames, corpus)), _decode_response, refusals, _wrong_response, tokens=_TOKENS
    )


def _decode_response(data: bytes) -> protocol.Response:
    return protocol.decode_response(unpack_frames(data))


def _wrong_response(data: bytes, response: protocol.Response) -> str | None:
    if isinstance(response, protocol.Answer):
        return None if bytes(response.reply.raw) == unpack_frames(data)[0] else "the reply is not the frame"
    if isinstance(response, protocol.StatusIs):
        json.dumps(response.status)
    again = protocol.decode_response(protocol.encode_control(response))
    # By what they show: a number of a status may be NaN, which is not equal to itself.
    return None if repr(again) == repr(response) else f"{response!r} is another when encoded again"
