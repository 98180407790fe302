"""Every benchmark still runs, shortened: its answers are compared, its figures are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from psmr.cli.arguments import benchmark_names

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.mark.parametrize("name", benchmark_names())
def test_it_runs_and_its_answers_are_right(name: str, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    command = [sys.executable, "-m", "psmr", "bench", name, "--quick", "--json", str(file)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(file.read_text())
    assert result["bench"] == name
    assert result["machine"]["cores"] >= 1
    if name == "replicated":
        assert {"commands_per_s", "durability", "replicas", "latency_us", "digests_equal"} <= set(result)
        assert (result["durability"], result["replicas"], result["digests_equal"]) == ("disk", 3, True)
        assert {"p50", "p99"} == set(result["latency_us"])
