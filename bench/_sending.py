"""Prepared batches through a cluster: one client, in order, a window of them unanswered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from psmr.advice.batches import Commands
from psmr.client.blocking import BlockingConnection

WINDOW = 16


def send(connection: BlockingConnection, batches: Sequence[Commands]) -> float:
    """Commands a second from the first one sent to the last one answered."""
    flying: deque[Any] = deque()
    started = time.perf_counter()
    for batch in batches:
        if len(flying) == WINDOW:
            flying.popleft().result()
        flying.append(connection.submit(batch.records, batch.count, batch.blob))
    while flying:
        flying.popleft().result()
    return sum(batch.count for batch in batches) / (time.perf_counter() - started)
