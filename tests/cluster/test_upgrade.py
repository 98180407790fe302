"""A new version of the service takes over while clients write: at one place of the log, with the state that was there."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_support import PATIENCE_S, PATIENT, START_PATIENCE_S, settle, wait_until

from cdep import service_of
from psmr.cli import main
from psmr.cli.exits import ExitCode
from psmr.client.connecting import connect_blocking
from psmr.cluster import LocalCluster
from psmr.errors import ClusterUnavailable, InvalidCall, Refused, ServiceMismatch

pytestmark = pytest.mark.cluster
MODULE = "psmr_versioned"

HEAD = '''"""A service that changes."""

from psmr import Map, StateMachine, dependent, partially_dependent, u64


class Book(StateMachine):
    """What is written under a number."""

    entries = Map(u64, u64, capacity=1000)
'''
WRITE = """
    @partially_dependent("key")
    def write(self, key: u64, value: u64) -> u64:
        self.entries.put(key, value)
        return value{change}

    @partially_dependent("key", access="read")
    def look(self, key: u64) -> u64:
        return self.entries.get(key, u64(0))
"""
FIRST = (
    HEAD
    + "    notes = Map(u64, u64, capacity=500)\n"
    + WRITE.format(change="")
    + '''
    @partially_dependent("key")
    def note(self, key: u64) -> bool:
        self.notes.put(key, key)
        return True
'''
)
SECOND = (
    HEAD.replace("(StateMachine)", "(StateMachine, version=2)")
    + "    marks = Map(u64, u64, capacity=700)\n"
    + WRITE.format(change=" + u64(1000)")
    + '''
    @partially_dependent("key")
    def mark(self, key: u64) -> u64:
        self.marks.put(key, self.entries.get(key, u64(0)))
        return u64(len(self.marks))
'''
)
CHANGED_FIELD = SECOND.replace("capacity=1000", "capacity=2000")


class Source:
    """The service's source, in one place for all replicas and for this process."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{MODULE}.py"

    def install(self, text: str) -> Any:
        """Put another source in place; the service as this process now sees it."""
        self._file.write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop(MODULE, None)
        return importlib.import_module(MODULE).Book


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    folder = tmp_path / "source"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Source(folder)
    sys.modules.pop(MODULE, None)


@pytest.fixture
def cluster(source: Source) -> Iterator[LocalCluster]:
    source.install(FIRST)
    with LocalCluster(f"{MODULE}:Book", workers=1, execution="interpreted") as running:
        running.wait_ready(START_PATIENCE_S)
        yield running


def reached(cluster: LocalCluster, number: int) -> list[str]:
    return [line for line in cluster.process(number).log.read_text().splitlines() if "takes over behind" in line]


def test_a_version_takes_over_at_one_place_with_the_state_that_was_there(
    cluster: LocalCluster, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    old = source.install(FIRST)
    with connect_blocking(old, cluster.addresses, **PATIENT) as client:
        assert client.write(1, 11) == 11
        assert client.note(5)
        new = source.install(SECOND)
        assert main(["upgrade", str(cluster.file), "--json"]) == ExitCode.OK
        shown = json.loads(capsys.readouterr().out)
        assert {each["fingerprint"] for each in shown["replicas"]} == {f"{service_of(new).fingerprint:#018x}"}
        with pytest.raises((ServiceMismatch, InvalidCall), match="the cluster runs"):
            client.write(2, 22)
    (line,) = {line.split("replica ")[1][2:] for number in cluster.ids for line in reached(cluster, number)}
    assert "Book version 2" in line
    with pytest.raises(ServiceMismatch):
        connect_blocking(old, cluster.addresses, **PATIENT).close()
    with connect_blocking(new, cluster.addresses, **PATIENT) as client:
        assert client.look(1) == 11
        assert client.look(2) == 0
        assert client.write(1, 12) == 1012
        assert client.mark(1) == 1
    settle(cluster.config)
    assert main(["upgrade", str(cluster.file)]) == ExitCode.FAILED
    assert "runs already" in capsys.readouterr().err
    source.install(CHANGED_FIELD)
    assert main(["upgrade", str(cluster.file)]) == ExitCode.FAILED
    error = capsys.readouterr().err
    assert "'entries' was Map(u64, u64, capacity=1000) and is Map(u64, u64, capacity=2000) now" in " ".join(error.split())
