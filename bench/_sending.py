"""Prepared batches through a cluster: one client, in order, a window of them unanswered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from cdep import Service
from proxies.layout import layout_of
from psmr.advice.batches import Commands
from psmr.client.blocking import BlockingConnection
from psmr.client.settings import ServiceIdentity

WINDOW = 16


def identity_of(service: Service) -> ServiceIdentity:
    """What a connection for batches says of itself."""
    return ServiceIdentity(service.name, service.fingerprint, layout_of(service).stride)


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
