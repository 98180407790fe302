"""What a client and a replica say to each other, as a DEALER (client) and a ROUTER (replica) of ZeroMQ's protocol (`zmtp`).

A message of **one frame** is data and nothing else: a batch towards the replica, a reply towards the client. So neither
is ever copied to prefix it, and records stay aligned. A message of **two frames** is control: a kind byte, then a
msgpack array with the fields of its struct.

    client → replica                          replica → client
    one frame    `Submit`     the batch       one frame    `Answer`     the reply to a batch
    1            `Hello`                      1            `Welcome`    to a hello; unasked when the leader moved
    2            `AskStatus`                  2            `Mismatch`   to a hello of another service or version
    3            `AskChange`                  3            `StatusIs`
    4            `AskUpgrade`                 4            `ErrorText`  what came makes no sense here
    5            `AskEvents`                  5            `ChangeIs`   what became of an `AskChange` or `AskUpgrade`
                                              6            `EventsAre`  to an `AskEvents`

A client says hello first and submits after the welcome. Both decoders raise `MalformedMessage` on everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec

from psmr.core.batch import BATCH_BYTES_MAX, HEADER_BYTES, MAGIC
from psmr.core.reply import MalformedReply, Reply, parse_reply
from psmr.core.service_version import NAME_MAX
from psmr.core.sessions import KEPT_REPLIES
from psmr.errors import PsmrError

PROTOCOL_VERSION: Final = 1
FRAME_BYTES_MAX: Final = BATCH_BYTES_MAX
"""The longest frame a client may send."""

_MAGIC: Final = MAGIC.to_bytes(4, "little")
StructT = TypeVar("StructT")


class MalformedMessage(PsmrError, ValueError):
    """Frames that are no message of this protocol."""


class Hello(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The client's first message: what it speaks and which service it calls."""

    version: int
    service: str
    fingerprint: int


class AskStatus(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks how the replica is. A digest of its state costs a pass over the state."""

    digest: bool


class AskChange(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An operator's wish: `action` is "add", "promote" or "remove"; the addresses are those of a replica to be added."""

    action: str
    replica: int
    peers: str
    clients: str


class AskUpgrade(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An operator's wish: another version of the service, whose fields of state are `state`, (name, specification)."""

    fingerprint: Annotated[int, msgspec.Meta(ge=0)]
    service: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)]
    version: Annotated[int, msgspec.Meta(ge=0)]
    state: list[tuple[str, str]]


class AskEvents(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks a replica of the service with that fingerprint for events from `position` on, about `bytes_max` bytes of them.

    No hello need come before. The answer comes when there are some; after a while with none.
    """

    fingerprint: Annotated[int, msgspec.Meta(ge=0)]
    position: Annotated[int, msgspec.Meta(ge=0)]
    bytes_max: Annotated[int, msgspec.Meta(ge=1)]


class Submit(msgspec.Struct, frozen=True):
    """What begins like a batch and has the length of one; `psmr.core.batch` parses it."""

    batch: bytes


class Member(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A replica of the cluster and where clients reach it."""

    id: int
    address: str


class Welcome(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The replica serves this client. `leader` is its guess; None while it knows of none."""

    cluster: str
    replica: int
    leader: int | None
    members: list[Member]
    batch_bytes_max: int
    window_batches: int

    def address_of_leader(self) -> str | None:
        """Where clients reach the leader, if it is known and a member."""
        return next((member.address for member in self.members if member.id == self.leader), None)


class Mismatch(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The replica does not serve this client; `text` says what it expected and found."""

    text: str


class StatusIs(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How the replica is: a document of JSON's types."""

    status: dict[str, Any]


class ChangeIs(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The change of members, or of the version, is under way, or refused, with the reason. Ask for the status to see it settled."""

    accepted: bool
    text: str


class EventsAre(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Events from the `position` asked for on: frames (`psmr.core.event_frame`), the first of which may begin before it.

    The replica keeps those from `earliest` on, and knows of none at `end` and behind it. No frames: there are none there.
    """

    position: Annotated[int, msgspec.Meta(ge=0)]
    earliest: Annotated[int, msgspec.Meta(ge=0)]
    end: Annotated[int, msgspec.Meta(ge=0)]
    frames: bytes


class ErrorText(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The replica could not make sense of a message."""

    text: str


class Answer(msgspec.Struct, frozen=True):
    """The reply to one batch."""

    reply: Reply


_AnyResponse = Welcome | Mismatch | StatusIs | ErrorText | ChangeIs | EventsAre
_AnyRequest = Hello | AskStatus | AskChange | AskUpgrade | AskEvents
Request = _AnyRequest | Submit
Response = _AnyResponse | Answer
Control = _AnyRequest | _AnyResponse

_REQUEST_KINDS: Final[dict[bytes, type[_AnyRequest]]] = {
    b"\x01": Hello,
    b"\x02": AskStatus,
    b"\x03": AskChange,
    b"\x04": AskUpgrade,
    b"\x05": AskEvents,
}
_RESPONSE_KINDS: Final[dict[bytes, type[_AnyResponse]]] = {
    b"\x01": Welcome,
    b"\x02": Mismatch,
    b"\x03": StatusIs,
    b"\x04": ErrorText,
    b"\x05": ChangeIs,
    b"\x06": EventsAre,
}
_KIND_OF: Final[dict[type, bytes]] = {
    struct: kind for kinds in (_REQUEST_KINDS, _RESPONSE_KINDS) for kind, struct in kinds.items()
}
_REQUEST_DECODERS: Final = {kind: msgspec.msgpack.Decoder(struct) for kind, struct in _REQUEST_KINDS.items()}
_RESPONSE_DECODERS: Final = {kind: msgspec.msgpack.Decoder(struct) for kind, struct in _RESPONSE_KINDS.items()}
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode_hello(service: str, fingerprint: int) -> list[bytes]:
    """A client's first message."""
    return encode_control(Hello(PROTOCOL_VERSION, service, fingerprint))


def encode_ask_status(digest: bool) -> list[bytes]:
    """A question for status; no hello need come before."""
    return encode_control(AskStatus(digest))


def encode_submit(batch: bytes) -> list[bytes]:
    """A batch on its way to a replica."""
    return [batch]


def encode_welcome(
    cluster: str,
    replica: int,
    leader: int | None,
    members: Iterable[tuple[int, str]],
    batch_bytes_max: int = BATCH_BYTES_MAX,
    window_batches: int = KEPT_REPLIES,
) -> list[bytes]:
    """The answer to a hello that is served. `members` are (id, client address)."""
    known = [Member(identity, address) for identity, address in members]
    return encode_control(Welcome(cluster, replica, leader, known, batch_bytes_max, window_batches))


def encode_mismatch(text: str) -> list[bytes]:
    """The answer to a hello that is not served: what was expected, found, what to do."""
    return encode_control(Mismatch(text))


def encode_reply_message(reply: bytes) -> list[bytes]:
    """A reply on its way to a client."""
    return [reply]


def encode_status(status: dict[str, Any]) -> list[bytes]:
    """The answer to a question for status."""
    return encode_control(StatusIs(status))


def encode_error(text: str) -> list[bytes]:
    """The answer to what is no request."""
    return encode_control(ErrorText(text))


def decode_request(frames: Sequence[bytes]) -> Request:
    """What a client sent. Raises `MalformedMessage`."""
    if len(frames) == 1:
        batch = frames[0]
        if not HEADER_BYTES <= len(batch) <= FRAME_BYTES_MAX or batch[:4] != _MAGIC:
            raise MalformedMessage(f"expected a batch, found {len(batch)} bytes that begin with {batch[:4].hex()!r}")
        return Submit(batch)
    kind, body = _control_frames(frames)
    decoder = _REQUEST_DECODERS.get(kind)
    if decoder is None:
        raise MalformedMessage(f"expected a request of kind 01 to 05, found {kind.hex()!r}")
    return _decode(decoder, body)


def decode_response(frames: Sequence[bytes]) -> Response:
    """What a replica sent. Raises `MalformedMessage`."""
    if len(frames) == 1:
        try:
            return Answer(parse_reply(frames[0]))
        except MalformedReply as error:
            raise MalformedMessage(str(error)) from error
    kind, body = _control_frames(frames)
    decoder = _RESPONSE_DECODERS.get(kind)
    if decoder is None:
        raise MalformedMessage(f"expected a response of kind 01 to 06, found {kind.hex()!r}")
    response = _decode(decoder, body)
    if isinstance(response, StatusIs) and not _is_document(response.status):
        raise MalformedMessage("expected a status of JSON's types, found bytes, times or extensions in it")
    return response


def _is_document(status: dict[str, Any]) -> bool:
    left: list[Any] = [status]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if not all(isinstance(key, str) for key in part):
                return False
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
        elif not isinstance(part, str | int | float | bool | None):
            return False
    return True


def _control_frames(frames: Sequence[bytes]) -> tuple[bytes, bytes]:
    if len(frames) != 2:
        raise MalformedMessage(f"expected a message of one frame (data) or two (control), found {len(frames)}")
    return frames[0][:8], frames[1]


def encode_control(message: Control) -> list[bytes]:
    """The frames of any control message."""
    return [_KIND_OF[type(message)], _ENCODER.encode(message)]


def _decode(decoder: msgspec.msgpack.Decoder[StructT], body: bytes) -> StructT:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        # Besides its own errors the decoder raises TypeError for unhashable map keys and ValueError for bad timestamps.
        raise MalformedMessage(f"expected the fields of its kind: {error}") from error
