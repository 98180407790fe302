"""Events of real clusters: the same bytes on every replica, each seen once by who follows, whoever is killed meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cluster_support import PATIENT, START_PATIENCE_S, settle, wait_until
from event_service import Telling

from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.client.connecting import connect, connect_blocking
from psmr.client.following import ServiceEvent
from psmr.client.status import fetch_status
from psmr.client.untyped import AnyBlockingClient
from psmr.cluster import LocalCluster
from psmr.config import ClusterConfig, Tuning
from psmr.errors import EventsGone

pytestmark = pytest.mark.cluster
SMALL = Tuning(snapshot_mib=1, segment_mib=1, retain_mib=0)
KEYS = np.arange(50, dtype=np.uint32)


def of_many_sizes(config: ClusterConfig, number: int) -> ClusterConfig:
    """The cluster as replica `number` sees it: one worker for the first, two for the second, three for the third."""
    return replace(config, replicas=tuple(replace(each, workers=each.id) for each in config.replicas))


@contextmanager
def a_cluster(tuning: Tuning | None = None) -> Iterator[LocalCluster]:
    options = {"tuning": tuning} if tuning else {}
    with LocalCluster(Telling, execution="interpreted", seen_by=of_many_sizes, **options) as cluster:  # type: ignore[arg-type]
        cluster.wait_ready(START_PATIENCE_S)
        yield cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with a_cluster() as running:
        yield running


def tell(client: AnyBlockingClient, batches: int) -> None:
    """Change counters; a fifth of the commands fails, and some move amounts between groups."""
    for number in range(batches):
        client.add.submit(KEYS, (KEYS.astype(np.int64) + number) % 5 - 1).result()
        client.move.submit(KEYS[:9], KEYS[1:10], np.full(9, number)).result()


def kept(cluster: LocalCluster, number: int) -> bytes:
    """The content of a replica's event files, their headers left out."""
    paths = sorted((cluster.config.folder(number) / "events").glob("*.evt"))
    return b"".join(path.read_bytes()[32:] for path in paths)


def ends(cluster: LocalCluster) -> set[int]:
    return {int(fetch_status(address)["events"]) for address in cluster.addresses}


def settled_end(cluster: LocalCluster) -> int:
    """How many events there are, once all replicas have executed everything."""
    settle(cluster.config)
    (end,) = ends(cluster)
    return end


def follow(client: AnyBlockingClient, first: int, end: int) -> list[ServiceEvent]:
    stream = client.events(first)
    return list(itertools.islice(stream, end - first))


def test_every_replica_keeps_the_same_bytes(cluster: LocalCluster) -> None:
    with connect_blocking(Telling, cluster.addresses, **PATIENT) as client:
        tell(client, 20)
        end = settled_end(cluster)
        events = follow(client, 0, end)
    assert kept(cluster, 1) == kept(cluster, 2) == kept(cluster, 3)
    assert [event.position for event in events] == list(range(end))
    assert [(event.index, event.sequence, event.row) for event in events] == sorted(
        (event.index, event.sequence, event.row) for event in events
    )
    totals: dict[int, int] = {}
    for event in events:
        if event.name == "added":
            key = event.fields["key"]
            assert event.fields["total"] == totals.get(key, 0) + event.fields["amount"], "an event too many, or too few"
            totals[key] = event.fields["total"]
    assert {event.name for event in events} == {"added", "emptied"}


def test_some_kinds_and_an_event_loop(cluster: LocalCluster) -> None:
    import asyncio

    with connect_blocking(Telling, cluster.addresses, **PATIENT) as client:
        tell(client, 1)
        end = settled_end(cluster)
        emptied = [event for event in follow(client, 0, end) if event.name == "emptied"]
        assert list(itertools.islice(client.events(kinds=["emptied"]), len(emptied))) == emptied

    async def some() -> list[ServiceEvent]:
        found: list[ServiceEvent] = []
        async with connect(Telling, cluster.addresses, **PATIENT) as client:
            async for event in client.events(emptied[0].position, ["emptied"]):
                found.append(event)
                if len(found) == len(emptied):
                    break
        return found

    assert asyncio.run(some()) == emptied


def test_the_command_line_shows_them(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    with connect_blocking(Telling, cluster.addresses, **PATIENT) as client:
        tell(client, 1)
        one, other = follow(client, 5, 7)
    assert main(["events", str(cluster.file), "--from", "5", "--count", "2", "--json"]) == ExitCode.OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["position"], line["index"], line["fields"]) for line in lines] == [
        (event.position, event.index, event.fields) for event in (one, other)
    ]
    assert main(["events", cluster.addresses[0], "--kind", "emptied", "--count", "1"]) == ExitCode.OK
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[3:] == ["emptied", "key=1"]
    assert main(["events", str(cluster.file), "--kind", "emptid"]) == ExitCode.CALLER
    assert "found ['emptid']" in capsys.readouterr().err


@pytest.mark.slow
def test_one_who_follows_misses_and_repeats_nothing_while_replicas_are_killed(cluster: LocalCluster) -> None:
    with connect_blocking(Telling, cluster.addresses, **PATIENT) as client:
        start = settled_end(cluster)
        stopping = threading.Event()
        writing = threading.Thread(target=_write_until, args=(cluster.addresses, stopping))
        writing.start()
        try:
            stream = client.events(start)
            found = list(itertools.islice(stream, 100))
            for _ in range(2):
                leader = cluster.wait_ready(START_PATIENCE_S)
                cluster.kill(leader)
                found += itertools.islice(stream, 200)
                cluster.start(leader)
        finally:
            stopping.set()
            writing.join()
        cluster.wait_ready(START_PATIENCE_S)
        end = settled_end(cluster)
        found += itertools.islice(stream, end - start - len(found))
    assert [event.position for event in found] == list(range(start, end))
    assert kept(cluster, 1) == kept(cluster, 2) == kept(cluster, 3)


def _write_until(addresses: Sequence[str], stopping: threading.Event) -> None:
    with connect_blocking(Telling, addresses, **PATIENT) as client:
        while not stopping.is_set():
            tell(client, 1)


@pytest.mark.slow
def test_a_subscriber_that_is_killed_goes_on_where_it_was(cluster: LocalCluster, tmp_path: Path) -> None:
    with connect_blocking(Telling, cluster.addresses, **PATIENT) as client:
        tell(client, 10)
        end = settled_end(cluster)
        lines: list[str] = []
        while len(lines) < end:
            with _following(cluster, len(lines), tmp_path / f"from-{len(lines)}") as path:
                least = min(end, len(lines) + 900) - len(lines)
                wait_until(lambda: path.read_text().count("\n") >= least, f"{least} events")  # noqa: B023
            # A line that the kill cut short counts as not seen.
            lines += [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        assert [json.loads(line)["position"] for line in lines] == list(range(len(lines)))
        assert [json.loads(line)["fields"] for line in lines] == [event.fields for event in follow(client, 0, end)]


@contextmanager
def _following(cluster: LocalCluster, first: int, path: Path) -> Iterator[Path]:
    """`psmr events` in a process that is killed in the end."""
    words = [sys.executable, "-m", "psmr", "events", cluster.addresses[0], "--from", str(first), "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with path.open("w") as output, subprocess.Popen(words, stdout=output, env=environment) as process:
        try:
            yield path
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_restart_and_a_fetched_snapshot_go_on_with_the_same_stream() -> None:
    with a_cluster(SMALL) as cluster, connect_blocking(Telling, cluster.addresses, **PATIENT) as client:
        tell(client, 10)
        end = settled_end(cluster)
        cluster.kill(3)
        delivered = int(fetch_status(cluster.addresses[0])["delivered"])
        while any(int(fetch_status(address)["first_index"]) <= delivered for address in cluster.addresses[:2]):
            client.fill(bytes(65_536))
            tell(client, 1)
        cluster.start(3)
        cluster.wait_ready(START_PATIENCE_S)
        last = settled_end(cluster)
        assert fetch_status(cluster.addresses[2])["earliest_event"] > end
        assert kept(cluster, 1) == kept(cluster, 2)
        assert kept(cluster, 1).endswith(kept(cluster, 3))
        for number in (1, 2):
            cluster.kill(number)
            cluster.start(number)
        cluster.wait_ready(START_PATIENCE_S)
        tell(client, 3)
        assert settled_end(cluster) > last
        assert kept(cluster, 1) == kept(cluster, 2)
        assert kept(cluster, 1).endswith(kept(cluster, 3))
        cluster.kill(1)
        assert [event.position for event in follow(client, 0, 10)] == list(range(10))  # another replica has them
        cluster.kill(2)
        with pytest.raises(EventsGone) as gone:
            next(client.events())
        assert gone.value.earliest > end
        assert next(client.events(gone.value.earliest)).position == gone.value.earliest
