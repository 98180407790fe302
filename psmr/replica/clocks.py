"""The two clocks of a replica: one that only goes forward, and the time of day."""

from __future__ import annotations

import time


def monotonic_us() -> int:
    """Microseconds on a clock that never goes back."""
    return time.monotonic_ns() // 1000


def wall_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
