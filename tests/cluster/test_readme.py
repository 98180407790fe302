"""The README is true: its files are taken out of it, its commands are run, its picture is compared."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_support import PATIENCE_S, START_PATIENCE_S, free_places, wait_until

from psmr.cluster import ask
from psmr.config import load

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_a_whole_service_takes_25_lines_at_most() -> None:
    assert len(_files()["accounts.py"].splitlines()) <= 25


def test_every_make_command_is_a_target() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wanted = re.findall(r"^\$ make ([a-z-]+)", README, re.MULTILINE)
    assert set(wanted) == {"demo", "test"}
    assert set(wanted) <= set(targets)


def test_every_folder_and_page_that_it_names_exists() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)|`([a-z]+/[a-z/]*)`", README)
    missing = [path for pair in named for path in pair if path and not (ROOT / path).exists()]
    assert not missing


def test_its_commands_do_what_it_says(folder: Path) -> None:
    commands = _psmr_commands()
    for command in commands["cdep"] + commands["proxies"]:
        _run(command, folder)
    picture = (ROOT / "docs" / "images" / "accounts.svg").read_text()
    assert (folder / "accounts.svg").read_text() == picture, "draw docs/images/accounts.svg again with psmr cdep show"
    assert (folder / "generated" / "accounts_client.py").exists()
    up = subprocess.Popen(_psmr(commands["up"][0]), cwd=folder, env=_environment(folder), stdout=subprocess.DEVNULL)
    try:
        _wait_until_up(commands["status"][0], folder, up)
        printed = subprocess.run(
            [sys.executable, "use.py"], cwd=folder, env=_environment(folder), check=True, capture_output=True, text=True
        ).stdout
        assert printed.splitlines() == ["True", "[10 20 30]"]
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=PATIENCE_S) == 0
    (replay,) = commands["replay"]
    assert "transfer" in _run(replay, folder).stdout


def test_a_deleted_key_is_refuted_as_it_says(folder: Path) -> None:
    text = (folder / "accounts.py").read_text()
    (folder / "accounts.py").write_text(text.replace('"source", "target", domain=', '"source", domain='))
    command = _psmr("cdep verify accounts:Accounts --seconds 60 --states 60")
    found = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "cure: name 'target' as a key of transfer" in found.stdout


def test_its_demonstration_passes(folder: Path) -> None:
    (command,) = _psmr_commands()["demo"]
    printed = _run(command, folder).stdout
    assert "lost" in printed, printed


def test_its_history_is_refused_for_the_reason_it_gives(folder: Path) -> None:
    (command,) = _psmr_commands()["check"]
    found = subprocess.run(_psmr(command), cwd=folder, env=_environment(folder), capture_output=True, text=True)
    assert found.returncode == 1
    assert "cannot be placed: process 2, records 4 to 5: read → nil, where the model would answer 1" in found.stdout
    assert (folder / "history.html").exists()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The README's files in a folder of their own, its places exchanged for free ones."""
    files = _files()
    places = sorted(set(re.findall(r"127\.0\.0\.1:\d+", files["cluster.toml"])))
    for place, free in zip(places, free_places(len(places)), strict=True):
        files = {name: text.replace(place, free) for name, text in files.items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def _files() -> dict[str, str]:
    return dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL))


def _psmr_commands() -> dict[str, list[str]]:
    lines = re.findall(r"^\$ psmr ([^#\n]+)", README, re.MULTILINE)
    commands: dict[str, list[str]] = {}
    for line in lines:
        commands.setdefault(line.split()[0], []).append(line.strip())
    assert {"cdep", "up", "status", "proxies"} <= set(commands)
    return commands


def _psmr(command: str) -> list[str]:
    return [sys.executable, "-m", "psmr", *shlex.split(command)]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _psmr(command), cwd=folder, env=_environment(folder), check=True, capture_output=True, text=True
    )


def _wait_until_up(status: str, folder: Path, up: subprocess.Popen[bytes]) -> None:
    addresses = {replica.id: replica.clients for replica in load(folder / "cluster.toml").replicas}

    def is_up_or_ended() -> bool:
        return up.poll() is not None or any(found.get("role") == "leader" for found in ask(addresses))

    # Asked from here while the service is compiled: the command again and again would take the time from the compiler.
    wait_until(is_up_or_ended, "the README's cluster to come up", START_PATIENCE_S)
    assert up.poll() is None, f"the README's cluster ended: {up.poll()}"
    printed = _run(status, folder).stdout
    assert printed.count("leader") >= 2, printed  # in the heading, and in a row
