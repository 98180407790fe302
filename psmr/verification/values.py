"""Values as traced state keeps them: what a handler would read back had they been stored in memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from cdep.types import ValueType
from psmr.state.access import FORMATS, encoder


def round_trip(value: ValueType) -> Callable[[Any], Any]:
    """A function from what a handler writes to what it reads back; raises as writing does."""
    encode = encoder(value)
    if value.kind in ("bytes", "fixed"):
        return lambda data: bytes(encode(data))
    if value.kind == "bool":
        return lambda data: encode(data) != b"\0"
    unpack = struct.Struct(FORMATS[value.name]).unpack
    seen: Any = np.float64 if value.kind == "float" else np.uint64 if value.name == "u64" else np.int64
    return lambda data: seen(unpack(encode(data))[0])


def comparable(value: ValueType) -> Callable[[Any], Any]:
    """A function from a stored value to one that `==` compares as replicas' digests do: NaN is NaN, -0.0 is not 0.0."""
    if value.kind == "float":
        return encoder(value)
    if value.kind in ("int", "uint"):
        return int
    return lambda data: data


def zero_of(value: ValueType) -> Any:
    """What a row holds that was never written."""
    if value.kind == "bytes":
        return b""
    return bytes(value.limit) if value.kind == "fixed" else 0
