"""ZeroMQ's wire protocol, as far as a DEALER and a ROUTER speak it to each other. Pure.

ZMTP 3.1 with the NULL mechanism (rfc.zeromq.org: 23/ZMTP and 37/ZMTP), so every ZeroMQ library can be at the other end.

connection: greeting (64 bytes), a READY command, then messages, and commands between their frames
frame:      ┌──────────┬────────────────────────┬──────┐  flags: 1 more frames of the message follow
            │ flags u8 │ size u8, or u64 if long │ body │         2 long   4 command
            └──────────┴────────────────────────┴──────┘
command:    a frame with: size of the name u8, name, what belongs to it

Either side may send its greeting and READY at once, but no message before the other's READY came.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from typing import Any, Final

from psmr.transport.framing import FRAMES_MAX, MalformedStream

DEALER: Final = b"DEALER"
ROUTER: Final = b"ROUTER"
SERVED: Final = (DEALER, b"REQ", ROUTER)
"""What a ROUTER talks to."""
SERVING: Final = (ROUTER, b"REP", DEALER)
"""What a DEALER talks to."""
COMMAND_BYTES_MAX: Final = 1 << 16
JOINED_BYTES_MAX: Final = 4 << 10
"""A frame up to this size is copied beside its head: cheaper than one more buffer."""
GREETING: Final = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)

_MORE: Final = 1
_LONG: Final = 2
_COMMAND: Final = 4
_SHORT_MAX: Final = 255
_IDENTITY_MAX: Final = 255
_CONTEXT_MAX: Final = 16
_TTL_BYTES: Final = 2
_SIZE: Final = struct.Struct(">Q")
_LONG_HEAD: Final = struct.Struct(">BQ")
_VALUE_SIZE: Final = struct.Struct(">I")


def encode_handshake(socket_type: bytes) -> bytes:
    """What a socket sends first."""
    properties = ((b"Socket-Type", socket_type), (b"Identity", b""))
    packed = (bytes([len(name)]) + name + _VALUE_SIZE.pack(len(value)) + value for name, value in properties)
    return GREETING + encode_command(b"READY", b"".join(packed))


def encode_command(name: bytes, body: bytes) -> bytes:
    """A command."""
    return _head(_COMMAND, 1 + len(name) + len(body)) + bytes([len(name)]) + name + body


def encode_message(frames: Sequence[Any]) -> list[Any]:
    """What to send for a message, buffer after buffer; long frames are not copied."""
    if len(frames) == 1:
        frame = frames[0]
        head = _head(0, len(frame))
        return [head + frame] if len(frame) <= JOINED_BYTES_MAX else [head, frame]
    buffers: list[Any] = []
    small: list[Any] = []
    more = len(frames)
    for frame in frames:
        more -= 1
        small.append(_head(_MORE if more else 0, len(frame)))
        if len(frame) <= JOINED_BYTES_MAX:
            small.append(frame)
        else:
            buffers += [b"".join(small), frame]
            small = []
    return [*buffers, b"".join(small)] if small else buffers


def _head(flags: int, size: int) -> bytes:
    return bytes((flags, size)) if size <= _SHORT_MAX else _LONG_HEAD.pack(flags | _LONG, size)


class ZmtpReader:
    """Takes the bytes in that a socket of one of these types sends, as they come; gives the messages that are complete.

    `is_ready`: the other side has said READY; its `identity` is that which it asks to be known by, or empty. `answers`: what is
    to be sent in answer to its commands, for whoever reads to take. A message may have `bytes_max` in all its frames.
    """

    __slots__ = (
        "_bytes_max",
        "_frames",
        "_frames_bytes",
        "_is_greeted",
        "_rest",
        "_types",
        "_wanted",
        "answers",
        "identity",
        "is_ready",
    )

    def __init__(self, types: Container[bytes], bytes_max: int) -> None:
        self.is_ready = False
        self.identity = b""
        self.answers: list[bytes] = []
        self._types = types
        self._bytes_max = bytes_max
        self._is_greeted = False
        self._rest = bytearray()  # of what is not complete
        self._wanted = 0  # bytes, from the beginning of the rest, without which it stays incomplete
        self._frames: list[bytes] = []  # of a message that is not complete
        self._frames_bytes = 0

    def feed(self, data: memoryview) -> list[list[bytes]]:
        """The messages that these bytes complete, oldest first. Raises `MalformedStream`."""
        messages: list[list[bytes]] = []
        if not self._rest:
            used = self._parse(data, messages)
            if used < len(data):
                self._rest += data[used:]
            return messages
        self._rest += data
        if len(self._rest) >= self._wanted:
            with memoryview(self._rest) as view:
                used = self._parse(view, messages)
            del self._rest[:used]
        return messages

    def _parse(self, view: memoryview, messages: list[list[bytes]]) -> int:
        """Take what is complete; how many bytes it was."""
        at, end = 0, len(view)
        if not self._is_greeted:
            if not self._greet(bytes(view[: len(GREETING)])):
                return 0
            at = len(GREETING)
        while True:
            body = at + 2
            if body > end:
                self._wanted = 2
                return at
            flags, size = view[at], view[at + 1]
            if flags & _LONG:
                body = at + _LONG_HEAD.size
                if body > end:
                    self._wanted = _LONG_HEAD.size
                    return at
                (size,) = _SIZE.unpack_from(view, at + 1)
            stop = body + size
            if flags > _LONG or self._frames or not self.is_ready or size > self._bytes_max:
                self._check(flags, size)
            if stop > end:
                self._wanted = stop - at
                return at
            frame = bytes(view[body:stop])
            at = stop
            if flags & _COMMAND:
                self._take_command(frame)
            elif flags & _MORE or self._frames:
                self._take_part(frame, messages, is_last=not flags & _MORE)
            else:
                messages.append([frame])

    def _check(self, flags: int, size: int) -> None:
        """Whether such a frame may come here; before it is kept."""
        if flags > _COMMAND | _LONG or flags & (_COMMAND | _MORE) == _COMMAND | _MORE:
            raise MalformedStream(f"expected flags of a frame of ZMTP 3, found {flags:#04x}")
        if not self.is_ready and not flags & _COMMAND:
            raise MalformedStream(f"expected READY first, found a message's frame of {size} bytes")
        if flags & _COMMAND:
            if size > COMMAND_BYTES_MAX:
                raise MalformedStream(f"expected a command of at most {COMMAND_BYTES_MAX} bytes, found {size}")
        elif self._frames_bytes + size > self._bytes_max:
            found = self._frames_bytes + size
            raise MalformedStream(f"expected a message of at most {self._bytes_max} bytes, found {found}")

    def _take_part(self, frame: bytes, messages: list[list[bytes]], *, is_last: bool) -> None:
        self._frames.append(frame)
        self._frames_bytes += len(frame)
        if is_last:
            messages.append(self._frames)
            self._frames = []
            self._frames_bytes = 0
        elif len(self._frames) >= FRAMES_MAX:
            raise MalformedStream(f"expected a message of at most {FRAMES_MAX} frames, found more")

    def _greet(self, found: bytes) -> bool:
        """Whether the greeting is complete."""
        if found[:1] not in (b"\xff", b"") or found[9:10] not in (b"\x7f", b""):
            raise MalformedStream(f"expected a greeting of ZMTP, found {found[:10]!r}")
        if found[10:11] and found[10] < GREETING[10]:
            raise MalformedStream(f"expected ZMTP of version 3, found version {found[10]}")
        if len(found) < len(GREETING):
            self._wanted = len(found) + 1
            return False
        mechanism = found[12:32].rstrip(b"\0")
        if mechanism != b"NULL":
            raise MalformedStream(f"expected the mechanism NULL, found {mechanism!r}: switch security off")
        self._is_greeted = True
        return True

    def _take_command(self, command: bytes) -> None:
        name_end = 1 + command[0] if command else 1
        name, body = command[1:name_end], command[name_end:]
        if len(command) < name_end or not name:
            raise MalformedStream(f"expected a command that begins with its name, found {command[:32]!r}")
        if not self.is_ready:
            if name != b"READY":
                raise MalformedStream(f"expected READY first, found {name[:32]!r} {body[:255]!r}")
            self._take_ready(body)
        elif name == b"READY":
            raise MalformedStream("expected READY once, found it again")
        elif name == b"PING":
            context = body[_TTL_BYTES:]
            if len(body) < _TTL_BYTES or len(context) > _CONTEXT_MAX:
                raise MalformedStream(f"expected PING with a context of up to {_CONTEXT_MAX} bytes, found {len(body)}")
            self.answers.append(encode_command(b"PONG", context))

    def _take_ready(self, body: bytes) -> None:
        properties = _properties(body)
        socket_type = properties.get(b"socket-type", b"")
        if socket_type not in self._types:
            raise MalformedStream(f"expected a socket that this one talks to, found {socket_type[:32]!r}")
        identity = properties.get(b"identity", b"")
        if len(identity) > _IDENTITY_MAX or identity[:1] == b"\0":
            raise MalformedStream(
                f"expected an identity of up to {_IDENTITY_MAX} bytes, not 0 first, found {identity!r}"
            )
        self.identity = identity
        self.is_ready = True


def _properties(body: bytes) -> dict[bytes, bytes]:
    """What is said with READY, by name in small letters."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        value = at + 1 + body[at] + _VALUE_SIZE.size
        if value > len(body):
            raise MalformedStream(f"expected whole properties, found one cut short at byte {at} of {len(body)}")
        (size,) = _VALUE_SIZE.unpack_from(body, value - _VALUE_SIZE.size)
        if value + size > len(body):
            raise MalformedStream(f"expected whole properties, found one cut short at byte {at} of {len(body)}")
        found[body[at + 1 : value - _VALUE_SIZE.size].lower()] = body[value : value + size]
        at = value + size
    return found
