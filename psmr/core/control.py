"""Entries of the log that are none of batches but the cluster's own: what all of them begin with, and which kinds there are.

The payload begins with four bytes that no batch begins with, so delivery tells it from batches by a look, and the log finds it
again when it is opened. Little endian: magic "PSMC", version: u8, kind: u8, zero: u16, then what the kind says, in msgpack.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct as Packing
from typing import TypeVar

import msgspec

from psmr.core.batch import Buffer, memory_of
from psmr.errors import PsmrError

CONTROL_MAGIC = b"PSMC"
_HEAD = Packing("<4sBBH")
_VERSION = 1
_ENCODER = msgspec.msgpack.Encoder()
StructT = TypeVar("StructT", bound=msgspec.Struct)


class Kind(IntEnum):
    """What an entry of the cluster's own is about."""

    ROSTER = 1
    VERSION = 2
    OVERRIDE = 3


class MalformedControl(PsmrError, ValueError):
    """Bytes that are no entry of the cluster's own."""


def is_control(payload: Buffer) -> bool:
    """Whether an entry's payload is none of batches but one of the cluster's own."""
    if type(payload) is bytes:
        return payload.startswith(CONTROL_MAGIC)
    return bytes(memory_of(payload)[:4]) == CONTROL_MAGIC


def kind_of(payload: Buffer) -> Kind:
    """What the entry is about. Raises `MalformedControl`."""
    view = memory_of(payload)
    if len(view) < _HEAD.size:
        raise MalformedControl(f"expected an entry of at least {_HEAD.size} bytes, found {len(view)}")
    magic, version, kind, zero = _HEAD.unpack_from(view)
    if (magic, version, zero) != (CONTROL_MAGIC, _VERSION, 0) or kind not in tuple(Kind):
        raise MalformedControl(
            f"expected an entry of version {_VERSION} and a known kind, found {bytes(view[:8]).hex()}"
        )
    return Kind(kind)


def encode_control(kind: Kind, content: msgspec.Struct) -> bytes:
    """The payload of an entry of that kind."""
    return _HEAD.pack(CONTROL_MAGIC, _VERSION, kind, 0) + _ENCODER.encode(content)


def decode_control(payload: Buffer, kind: Kind, decoder: msgspec.msgpack.Decoder[StructT]) -> StructT:
    """What an entry of that kind holds. Raises `MalformedControl`."""
    found = kind_of(payload)
    if found is not kind:
        raise MalformedControl(f"expected an entry of kind {kind.name}, found one of {found.name}")
    try:
        return decoder.decode(memory_of(payload)[_HEAD.size :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedControl(f"expected the content of {kind.name}: {error}") from error
