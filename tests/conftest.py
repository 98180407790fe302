"""The run leaves nothing behind: no process, no shared memory with a name, no socket file, or it fails.

Checked once, after all tests, by the process that the user started: with several test workers none of them could
tell its own left-overs from what another still uses. Each process started by a test inherits `PSMR_TEST_RUN`, and
pytest's own PYTEST_CURRENT_TEST, which names the test to blame.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

MARK = "PSMR_TEST_RUN"
GRACE_S = 30.0
SHARED = Path("/dev/shm")
HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Python's own helper processes: they end with the process that needed them, a moment after it."""

# How long an example takes says something of the machine only. Every run draws the same examples, so that it fails for what
# was changed and not by chance; to look for more: `pytest --hypothesis-profile explore`.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("explore"), derandomize=True)
settings.load_profile("steady")

before = pytest.StashKey[set[Path]]()
left_behind = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell without job control ignores Ctrl-C for what it runs in the background, and so would all that tests start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Machine code of this checkout's tests, apart from where other checkouts and what is installed remove old versions.
    os.environ.setdefault("PSMR_CACHE", str(config.rootpath / ".pytest_cache" / "psmr"))
    # Hundreds of processes are started: where none keeps its bytecode, each spends a fifth of its start on compiling the same.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not _is_worker(config):
        os.environ[MARK] = uuid.uuid4().hex
        config.stash[before] = set(_shared_memory()) | set(_sockets(config))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if _is_worker(config):
        return
    processes = _wait_and_kill(dict(_processes()))
    config.stash[left_behind] = processes + [f"file {path}" for path in _new_files(config)]
    if config.stash[left_behind] and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(left_behind, [])
    if found:
        terminalreporter.section("left behind by the tests: the run fails", red=True)
        for line in found:
            terminalreporter.line(line, red=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _processes() -> Iterator[tuple[int, str]]:
    """This run's processes as (id, what to say of it): descendants, and orphans, which kept the mark they inherited."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    parents = {}
    marked = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile, or is another user's
        blame = [
            entry.partition(b"=")[2].decode() for entry in environment if entry.startswith(b"PYTEST_CURRENT_TEST=")
        ]
        if command and not any(helper in command for helper in HELPERS):
            text = command.replace(b"\0", b" ").decode(errors="replace").strip()
            marked[int(folder.name)] = (mark in environment, f"{text} (started by {blame[0] if blame else 'a test'})")
    for process, (is_marked, text) in marked.items():
        if process != os.getpid() and (is_marked or _descends(process, parents)):
            yield process, f"process {process}: {text}"


def _descends(process: int, parents: dict[int, int]) -> bool:
    while process in parents:
        process = parents[process]
        if process == os.getpid():
            return True
    return False


def _wait_and_kill(processes: dict[int, str]) -> list[str]:
    """Give each a moment to end by itself, kill those that do not, and name them."""
    stayed = []
    for process, text in processes.items():
        try:
            handle = os.pidfd_open(process)
        except ProcessLookupError:
            continue
        with open(handle, "rb", buffering=0):
            if not select.select([handle], [], [], GRACE_S)[0]:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                stayed.append(text)
    return stayed


def _new_files(config: pytest.Config) -> list[Path]:
    """What has come since the beginning and does not go: other programs, too, make such files and remove them."""
    give_up_s = time.monotonic() + GRACE_S
    while True:
        files = [path for path in (*_shared_memory(), *_sockets(config)) if path not in config.stash[before]]
        if not files or time.monotonic() >= give_up_s:
            return files
        time.sleep(0.05)


def _shared_memory() -> Iterator[Path]:
    for path in SHARED.iterdir() if SHARED.is_dir() else ():
        try:
            if path.stat().st_uid == os.getuid():
                yield path
        except FileNotFoundError:
            continue


def _sockets(config: pytest.Config) -> Iterator[Path]:
    """Socket files below the run's own temporary folder and the project, and the engine's in the system's one."""
    factory = getattr(config, "_tmp_path_factory", None)
    own = getattr(factory, "_basetemp", None)
    for top in filter(None, (own, config.rootpath)):
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (path for name in names if _is_socket(path := Path(folder, name)))
    yield from (path for path in Path(tempfile.gettempdir()).glob("*psmr*") if _is_socket(path))


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return False
