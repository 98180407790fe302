"""Every benchmark still runs, shortened: its answers are compared, its figures are not."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psmr.cli.arguments import benchmark_names

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

_ELSEWHERE = {"snapshots"}
"""Run by a test file of its own, in the same form."""
_LONG = {"exchange", "execution", "growth", "peers", "recovery", "vectors"}
"""Compile for themselves, or measure, for more than twenty seconds, or have most of it in a test file of their own."""
_REPLICAS = ("leader", "follower 1", "follower 2")


def _names() -> Iterator[Any]:
    for name in sorted(set(benchmark_names()) - _ELSEWHERE):
        yield pytest.param(name, marks=pytest.mark.long if name in _LONG else ())


@pytest.mark.parametrize("name", list(_names()))
def test_it_runs_and_its_answers_are_right(name: str, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    command = [sys.executable, "-m", "psmr", "bench", name, "--quick", "--json", str(file)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(file.read_text())
    assert result["bench"] == name
    assert result["machine"]["cores"] >= 1
    if hasattr(importlib.import_module(f"bench.{name}"), "plots"):
        assert Xml.parse(file.with_suffix(".svg")).getroot().tag.endswith("svg")
    if name == "replicated":
        _check_replicated(result)


def _check_replicated(result: dict[str, Any]) -> None:
    assert {"commands_per_s", "durability", "replicas", "latency_us", "digests_equal"} <= set(result)
    assert (result["durability"], result["replicas"], result["digests_equal"]) == ("disk", 3, True)
    assert {"p50", "p99"} == set(result["latency_us"])
    roles = {"client loop", *(f"{one} {part}" for one in _REPLICAS for part in ("loop", "workers"))}
    assert roles <= set(result["cpu_ns_per_command"])
    assert [row["commands"] for row in result["rows"]] == ["mixed", "mixed", "reads", "reads", "writes"]
    (rate,) = result["open_loop"]
    assert list(rate["latency_us"]) == ["p50", "p99", "p99.9", "p99.99", "max"]
    assert list(rate["latency_us"].values()) == sorted(rate["latency_us"].values())
    assert (rate["rate_per_s"], rate["command_bytes"], rate["digests_equal"]) == (100_000, 100, True)
