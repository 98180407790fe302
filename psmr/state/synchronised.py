"""The acquire/release primitives of `psmr.state.atomics`, for interpreted code."""

from __future__ import annotations

from cdep.compiled import compiled
from psmr.state.atomics import fence, load_acquire, store_release


@compiled
def load(address: int) -> int:
    """`load_acquire`."""
    return load_acquire(address)


@compiled
def store(address: int, value: int) -> None:
    """`store_release`."""
    store_release(address, value)


@compiled
def fence_now() -> None:
    """`fence`."""
    fence()
