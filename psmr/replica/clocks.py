"""The two clocks of a replica: one that only goes forward, and the time of day."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

SHIFTED: Final = "PSMR_SHIFTED_CLOCK"
"""The environment's word that a replica's time of day is shifted by what a file says: for faults put in on purpose."""
_SHIFT_BYTES: Final = 8


def monotonic_us() -> int:
    """Microseconds on a clock that never goes back."""
    return time.monotonic_ns() // 1000


def wall_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def wall_clock(data: Path, replica_id: int) -> Callable[[], int]:
    """The time of day for a replica of a cluster whose data lie there: `wall_us`, unless the environment says SHIFTED."""
    if SHIFTED not in os.environ:
        return wall_us
    file = _shift_file(data, replica_id)
    if not file.exists():
        shift_clock(data, replica_id, 0)
    with file.open("rb") as opened:
        shift = mmap.mmap(opened.fileno(), _SHIFT_BYTES, access=mmap.ACCESS_READ)
    return lambda: wall_us() + int.from_bytes(shift[:], "little", signed=True)


def shift_clock(data: Path, replica_id: int, shift_us: int) -> None:
    """Have a replica that was started with SHIFTED see the time of day so much later, or earlier if negative, from now on."""
    descriptor = os.open(_shift_file(data, replica_id), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.pwrite(descriptor, shift_us.to_bytes(_SHIFT_BYTES, "little", signed=True), 0)
    finally:
        os.close(descriptor)


def _shift_file(data: Path, replica_id: int) -> Path:
    return data / f"clock-{replica_id}"
