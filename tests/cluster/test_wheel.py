"""A wheel built from the project is whole: what is unpacked from it, elsewhere, runs the demonstration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_a_wheel_runs_the_demonstration(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (entries,) = site.glob("psmr-*.dist-info/entry_points.txt")
    assert "[pytest11]\npsmr = psmr.testing.plugin" in entries.read_text()
    # Before the project's own folders on the path, and not started from them.
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = [sys.executable, "-c", "import psmr, cdep, apps, proxies; print(psmr.__file__, apps.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    assert found.count(str(site)) == 2
    demo = [sys.executable, "-m", "psmr", "demo", "kv", "--seconds", "3", "--json"]
    ran = subprocess.run(demo, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["passed"]
