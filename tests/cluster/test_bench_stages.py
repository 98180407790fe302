"""The benchmark of stages runs, shortened, and its three forms leave one state."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench import stages


@pytest.mark.slow
def test_stages_are_measured_and_agree() -> None:
    command = [sys.executable, "-m", "psmr", "bench", "stages", "--quick", "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)
    assert stages.passed(result)
    heading, *lines = stages.table(result)
    assert len(lines) == len(result["rows"]) == 2
    assert {len(cells) for cells in lines} == {len(heading)}
    plenty, scarce = result["rows"]
    assert (plenty["rounds_a_batch"], plenty["waited"]) == (1.0, 0.0)
    assert scarce["rounds_a_batch"] > 1
