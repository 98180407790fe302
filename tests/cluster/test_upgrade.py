"""A new version of the service takes over while clients write: at one place of the log, with the state that was there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, settle

from cdep import service_of
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster, ask
from psmr.cluster.upgrade import Upgrade
from psmr.errors import InvalidCall, ServiceMismatch

pytestmark = pytest.mark.cluster
MODULE = "psmr_versioned"

HEAD = '''"""A service that changes."""

from psmr import Event, Map, StateMachine, dependent, partially_dependent, u64


class Book(StateMachine):
    """What is written under a number."""

    entries = Map(u64, u64, capacity=1000)
    written = Event(key=u64, value=u64)
'''
WRITE = """
    @partially_dependent("key")
    def write(self, key: u64, value: u64) -> u64:
        self.entries.put(key, value)
        self.written.emit(key, value)
        return value{change}

    @partially_dependent("key", access="read")
    def look(self, key: u64) -> u64:
        return self.entries.get(key, u64(0))
"""
FIRST = (
    HEAD
    + "    notes = Map(u64, u64, capacity=500)\n"
    + WRITE.format(change="")
    + """
    @partially_dependent("key")
    def note(self, key: u64) -> bool:
        self.notes.put(key, key)
        return True
"""
)
SECOND = (
    HEAD.replace("(StateMachine)", "(StateMachine, version=2)")
    + "    marks = Map(u64, u64, capacity=700)\n"
    + WRITE.format(change=" + u64(1000)")
    + """
    @partially_dependent("key")
    def mark(self, key: u64) -> u64:
        self.marks.put(key, self.entries.get(key, u64(0)))
        return u64(len(self.marks))
"""
)
CHANGED_FIELD = SECOND.replace("capacity=1000", "capacity=2000")


class Source:
    """The service's source, one module for each replica, as if they were on different machines; 0 is that of clients."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def install(self, text: str, places: Iterable[int] = (0, 1, 2, 3)) -> Any:
        """Put another source in place; the service as clients now see it."""
        for place in places:
            (self._folder / f"{MODULE}_{place}.py").write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop(f"{MODULE}_0", None)
        return importlib.import_module(f"{MODULE}_0").Book


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    folder = tmp_path / "source"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    # Two sources of one length, written within a second, share their compiled form.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    yield Source(folder)
    sys.modules.pop(f"{MODULE}_0", None)


def made(replicas: int) -> LocalCluster:
    return LocalCluster(
        f"{MODULE}_0:Book",
        replicas=replicas,
        workers=1,
        execution="interpreted",
        seen_by=lambda config, number: replace(config, service=f"{MODULE}_{number}:Book"),
    )


@pytest.fixture
def cluster(source: Source) -> Iterator[LocalCluster]:
    source.install(FIRST)
    with made(replicas=3) as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


def fingerprint(service: Any) -> str:
    return f"{service_of(service).fingerprint:#018x}"


def places_of_change(cluster: LocalCluster) -> set[str]:
    """What each replica said when it came to the new version, the place in the log included."""
    logs = (cluster.process(number).log.read_text() for number in cluster.ids)
    return {line.partition("Book")[2] for log in logs for line in log.splitlines() if "takes over behind" in line}


class Upgrading(Thread):
    """`psmr upgrade` meanwhile."""

    def __init__(self, cluster: LocalCluster, service: Any) -> None:
        super().__init__(daemon=True)
        self._addresses = {replica.id: replica.clients for replica in cluster.config.replicas}
        self._service = service_of(service)
        self.start()

    def run(self) -> None:
        Upgrade(self._addresses, self._service, timeout_s=PATIENCE_S).run()

    def goes_on(self, cluster: LocalCluster, new: Any, but: int) -> bool:
        """Whether some replica, but one, does not run it yet."""
        statuses = ask({number: address for number, address in self._addresses.items() if number != but})
        return any(status.get("fingerprint") != fingerprint(new) for status in statuses)


def outcomes(pending: Sequence[Any]) -> list[bool]:
    """Whether each batch was executed. Nobody may be left not knowing."""
    executed: list[bool] = []
    for each in pending:
        try:
            each.result()
        except (ServiceMismatch, InvalidCall):
            executed.append(False)
        else:
            executed.append(True)
    return executed


def test_a_version_takes_over_at_one_place_while_a_client_writes(
    cluster: LocalCluster, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    old = source.install(FIRST)
    with connect_blocking(old, cluster.addresses, **PATIENT) as client:
        assert client.write(0, 11) == 11
        assert client.note(5)
        late = next(number for number in cluster.ids if number != cluster.leader())
        cluster.expect_end(late)
        new = source.install(SECOND, {0, 1, 2, 3} - {late})
        pending = [client.write.submit([1], [1])]
        pending[0].result()
        upgrading = Upgrading(cluster, new)
        while upgrading.goes_on(cluster, new, but=late):
            pending.append(client.write.submit([1 + len(pending) % 999], [1 + len(pending)]))
        executed = outcomes(pending)
        assert (executed[0], executed[-1]) == (True, False)
    with pytest.raises(ServiceMismatch):
        connect_blocking(old, cluster.addresses, **PATIENT).close()
    assert cluster.process(late).wait(PATIENCE_S) == ExitCode.CALLER
    assert f"expected the source of service {fingerprint(new)}" in cluster.process(late).last_line()
    source.install(SECOND, {late})
    cluster.start(late)
    (line,) = places_of_change(cluster)
    assert " version 2" in line
    with connect_blocking(new, cluster.addresses, **PATIENT) as client:
        last = {1 + number % 999: 1 + number for number, was in enumerate(executed) if was}
        assert client.look.many(range(1, 1000)).values.tolist() == [last.get(key, 0) for key in range(1, 1000)]
        assert client.look(0) == 11
        assert client.write(0, 12) == 1012
        assert client.mark(0) == 1
        position = 1 + sum(executed)
        event = next(client.events(position))
        assert (event.position, event.fields) == (position, {"key": 0, "value": 12})
        with pytest.raises(ServiceMismatch, match="the event at position 0 is of service"):
            next(client.events())
    upgrading.join()
    settle(cluster.config)
    _refuses_what_cannot_be(cluster, source, capsys)


def _refuses_what_cannot_be(cluster: LocalCluster, source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", str(cluster.file)]) == ExitCode.FAILED
    assert "runs already" in capsys.readouterr().err
    source.install(CHANGED_FIELD)
    assert main(["upgrade", str(cluster.file)]) == ExitCode.FAILED
    error = " ".join(capsys.readouterr().err.split())
    assert "'entries' was Map(u64, u64, capacity=1000) and is Map(u64, u64, capacity=2000) now" in error


def ends(cluster: LocalCluster) -> str:
    """The last words of the one replica, which is not to stay."""
    assert cluster.process(1).wait(PATIENCE_S) == ExitCode.CALLER
    return cluster.process(1).last_line()


@pytest.mark.slow
def test_a_replica_that_is_killed_on_the_way_needs_the_source_that_its_folder_says(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    old = source.install(FIRST)
    with made(replicas=1) as cluster:
        cluster.wait_ready(START_PATIENCE_S)
        with connect_blocking(old, cluster.addresses, **PATIENT) as client:
            client.write.many(range(100), range(100))
        new = source.install(SECOND, {0})
        cluster.expect_end(1)
        assert main(["upgrade", str(cluster.file), "--json", "--timeout", "1"]) == ExitCode.UNAVAILABLE
        assert "replica 1 silent" in capsys.readouterr().err
        assert f"expected the source of service {fingerprint(new)}" in ends(cluster)
        # As if it had been killed before its snapshot was there: only the old source can execute what comes before.
        (snapshot,) = cluster.config.folder(1).glob("snapshot-*.snap")
        snapshot.unlink()
        source.install(SECOND)
        cluster.start(1)
        cluster.expect_end(1)
        assert f"expected the source of service {fingerprint(old)}" in ends(cluster)
        source.install(FIRST, {1})
        cluster.start(1)
        cluster.expect_end(1)
        assert f"expected the source of service {fingerprint(new)}" in ends(cluster)
        source.install(SECOND, {1})
        cluster.start(1)
        cluster.wait_ready(START_PATIENCE_S)
        assert len(places_of_change(cluster)) == 1
        with connect_blocking(new, cluster.addresses, **PATIENT) as client:
            assert client.look.many(range(100)).values.tolist() == list(range(100))
