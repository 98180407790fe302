"""What is fuzzed: one decoder, and what must hold of whatever it accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Decode = Callable[[bytes], Any]
Wrong = Callable[[bytes, Any], str | None]
Seal = Callable[[bytearray], None]


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder. `decode` either raises one of `refusals` or returns what `wrong` finds no fault with.

    `corpus`: valid inputs, made by the real encoders. `seal` puts right, in place, the checksums of a mutant, as far as its
    lengths allow: half of the mutants are sealed, so that what lies behind a checksum is reached. `tokens` are inserted into
    mutants: pieces of the format that chance would not make.
    """

    name: str
    corpus: tuple[bytes, ...]
    decode: Decode
    refusals: tuple[type[Exception], ...]
    wrong: Wrong
    seal: Seal | None = None
    tokens: tuple[bytes, ...] = ()


def pack_frames(frames: Sequence[bytes]) -> bytes:
    """A message of several frames as one input: before each, its length in four bytes."""
    return b"".join(len(frame).to_bytes(4, "little") + frame for frame in frames)


def unpack_frames(data: bytes) -> list[bytes]:
    """The frames of an input, however it was mutated: one at least, the last as long as there are bytes."""
    frames: list[bytes] = []
    at = 0
    while at + 4 <= len(data) or not frames:
        stop = at + 4 + int.from_bytes(data[at : at + 4], "little")
        frames.append(data[at + 4 : stop])
        at = stop
    return frames
