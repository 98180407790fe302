"""How long a worker that waits for another worker spins: long while no task of the machine waits for a processor, else briefly.

Whom it waits for is soon there if it has a processor. To sleep and be woken takes as long as a stage of a batch does, so a worker
with a core of its own should spin; on a machine that has more to run than cores it would spin in the place of the very
worker that it waits for, or of a client. Which of the two it is the kernel knows: *pressure stall information* counts the time in
which some task was ready and had no processor (`/proc/pressure/cpu`; Johannes Weiner, Linux 4.20).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

SPINS_PER_US = 25
"""About so often a worker looks in a microsecond."""
PATIENCE = 800 * SPINS_PER_US
"""What a worker is worth that has a processor to itself: longer than the stage of a batch takes."""
PRESSURE = Path("/proc/pressure/cpu")
LOOK_NS = 50_000_000
"""From one look at the pressure to the next."""
CALM, PRESSED = 0.25, 0.5
"""Of the time between two looks: below the one waiting is long again, above the other brief."""

Waited = Callable[[], int | None]


class Pressure:
    """The kernel's count of microseconds in which some task waited for a processor; None where the kernel does not count."""

    def __init__(self, path: Path = PRESSURE) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = -1

    def waited_us(self) -> int | None:
        """As it is now; takes some microseconds."""
        if self._descriptor < 0:
            return None
        try:
            first = os.pread(self._descriptor, 256, 0).split(b"\n", 1)[0]
        except OSError:  # counting was switched off (`psi=0`): reading says EOPNOTSUPP
            self.close()
            return None
        return int(first.rpartition(b"total=")[2])

    def close(self) -> None:
        """Let go of the file; no count from then on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Patience:
    """How often to look before sleeping: `least` or `most`, by what `waited_us` counts; begins with `least`."""

    def __init__(self, least: int, most: int, waited_us: Waited, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.spins = least
        self._least, self._most = least, max(least, most)
        self._waited_us, self._now_ns = waited_us, now_ns
        self._looked_ns, self._seen_us = 0, None if self._most == least else waited_us()
        if self._seen_us is not None:
            self._looked_ns = now_ns()

    def look(self) -> int:
        """The number of looks, judged anew every `LOOK_NS`."""
        if self._seen_us is None:
            return self.spins
        now_ns = self._now_ns()
        passed_ns = now_ns - self._looked_ns
        if passed_ns < LOOK_NS:
            return self.spins
        waited_us = self._waited_us()
        if waited_us is None:
            self._seen_us, self.spins = None, self._least
            return self.spins
        share = (waited_us - self._seen_us) * 1000 / passed_ns
        self._looked_ns, self._seen_us = now_ns, waited_us
        if share < CALM:
            self.spins = self._most
        elif share > PRESSED:
            self.spins = self._least
        return self.spins
