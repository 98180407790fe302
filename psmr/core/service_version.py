"""Which service executes what follows: what an entry of the log says when a new version takes over."""

from __future__ import annotations

from typing import Annotated

import msgspec

from psmr.core.batch import Batch, Buffer, MalformedBatch
from psmr.core.control import Kind, MalformedControl, decode_control, encode_control

NAME_MAX = 256
_U64 = Annotated[int, msgspec.Meta(ge=0)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)]


class ServiceVersion(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The service with this fingerprint executes what is behind this entry; what is before it, the one it `replaces`.

    `name` and `version` are for people: of equal ones the fingerprints may differ.
    """

    fingerprint: _U64
    replaces: _U64
    name: _Name
    version: _U64

    def __str__(self) -> str:
        return f"{self.name} version {self.version} ({self.fingerprint:#018x})"


_DECODER = msgspec.msgpack.Decoder(ServiceVersion)


def encode_version(version: ServiceVersion) -> bytes:
    """The payload of an entry at which `version` takes over."""
    return encode_control(Kind.VERSION, version)


def decode_version(payload: Buffer) -> ServiceVersion:
    """The version that a payload is. Raises `MalformedControl`."""
    version = decode_control(payload, Kind.VERSION, _DECODER)
    if version.fingerprint == version.replaces:
        raise MalformedControl(f"expected another service than the one it replaces, found {version}")
    return version


def foreign(batch: Batch, fingerprint: int) -> MalformedBatch:
    """What is wrong with a batch of another service than the one with this fingerprint, which is in force."""
    return MalformedBatch(
        f"a batch of service {fingerprint:#018x}, which the cluster runs",
        f"one of {batch.fingerprint:#018x}: use the service's source that the cluster runs",
    )
