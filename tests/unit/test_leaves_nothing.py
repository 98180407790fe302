"""The guard in `conftest.py` is itself tested: a run that leaves a process, shared memory or a socket file fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

CLEAN = """
import subprocess, sys
def test_reaps_its_child():
    subprocess.run([sys.executable, "-c", ""], check=True)
"""
ORPHAN = """
import subprocess, sys
def test_forgets_a_child():
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])"
    subprocess.run([sys.executable, "-c", code], check=True)
"""
SOCKET = """
import os, socket
def test_forgets_a_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("forgotten")
"""
SHARED = """
from pathlib import Path
def test_forgets_shared_memory(request):
    Path(request.config.rootpath, "shm", "forgotten").touch()
"""


def run_pytest(folder: Path, source: str, workers: int) -> subprocess.CompletedProcess[str]:
    """Run one inner test file under a copy of the guard, and remove what it left in the file system."""
    (folder / "shm").mkdir()
    # A folder of its own stands for /dev/shm, which other tests share; nobody here is on its way out, so a short grace.
    guard = (
        CONFTEST.read_text()
        .replace('Path("/dev/shm")', f'Path("{folder}/shm")')
        .replace("GRACE_S = 30.0", "GRACE_S = 0.2")
    )
    (folder / "conftest.py").write_text(guard)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_inner.py").write_text(source)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PSMR_"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", str(workers), "--basetemp", "tmp"]
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(folder / "tmp", ignore_errors=True)


def test_a_clean_run_passes(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, CLEAN, workers=2)
    assert result.returncode == 0, result.stdout
    assert "left behind" not in result.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_an_orphan_is_found_named_and_killed(tmp_path: Path, workers: int) -> None:
    result = run_pytest(tmp_path, ORPHAN, workers)
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("process ")]
    assert "signal.pause()" in line
    assert "test_forgets_a_child" in line


@pytest.mark.parametrize("source", [SOCKET, SHARED])
def test_a_forgotten_file_is_found(tmp_path: Path, source: str) -> None:
    result = run_pytest(tmp_path, source, workers=0)
    assert result.returncode == 1
    assert "/forgotten" in result.stdout
