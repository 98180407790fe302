"""Replicas agree to the byte, whatever their workers, compiled or interpreted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_support import PATIENT, replicas, settle, uneven_cluster

from apps.kv import KV
from psmr.client.connecting import connect
from psmr.config import ClusterConfig
from psmr.services import service_text

pytestmark = pytest.mark.cluster
WORKERS = (1, 2, 5, 3)
INTERPRETED = 4
KEYS = [b"key-%d" % number for number in range(50)]
CLIENTS = 4
ROUNDS = 25


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterConfig]:
    made = uneven_cluster(service_text(KV), tmp_path_factory.mktemp("uneven"), WORKERS)
    with replicas(made, interpreted=(INTERPRETED,)):
        yield made


def fill(batch: Any, source: random.Random) -> None:
    """Add random calls, some of them on everything."""
    for _ in range(40):
        key = source.choice(KEYS)
        command = source.choices(("put", "get", "delete", "compare_and_set", "size", "clear"), (40, 20, 15, 20, 4, 1))
        match command:
            case ["put"]:
                batch.put([key], [source.randbytes(source.randrange(256))])
            case ["compare_and_set"]:
                batch.compare_and_set([key], [b""], [source.randbytes(8)])
            case ["get" | "delete"]:
                getattr(batch, command[0])([key])
            case _:
                getattr(batch, command[0])(1)


async def load(config: ClusterConfig) -> None:
    """Clients, each at a replica of its own, with random calls of everything."""

    async def run(number: int) -> None:
        source = random.Random(number)
        address = config.replicas[number].clients
        async with connect(KV, address, prefer_leader=False, **PATIENT) as kv:
            for _ in range(ROUNDS):
                batches = [kv.batch() for _ in range(4)]
                for batch in batches:
                    fill(batch, source)
                await asyncio.gather(*(batch.send() for batch in batches))

    await asyncio.gather(*(run(number) for number in range(CLIENTS)))


def test_replicas_with_different_workers_agree(config: ClusterConfig) -> None:
    asyncio.run(load(config))
    statuses = settle(config)
    assert [len(status.get("workers")) for status in statuses] == list(WORKERS)
    assert {status.get("commands") for status in statuses} == {CLIENTS * ROUNDS * 4 * 40}
    assert all(status.get("synchronous_commands") > 0 for status in statuses[1:])
