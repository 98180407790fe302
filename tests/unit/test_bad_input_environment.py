"""Terminals, folders and moments that are against us: an old character set, a read-only home, Ctrl-C while loading."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import psmr
from psmr.cli.exits import ExitCode
from psmr.cli.interrupts import leaving_at_once
from psmr.cli.output import speak_any_encoding
from psmr.errors import ConfigurationError
from psmr.json_output import print_json
from psmr.proxy_files import cache_folder

ROOT = Path(__file__).parents[2]
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

INTERRUPTED = """
import os, signal
from psmr.cli.interrupts import leaving_at_once
with leaving_at_once():
    os.kill(os.getpid(), signal.SIGINT)
print("still here")
"""

WITHOUT_CACHES = """
from numba.core.caching import CompileResultCacheImpl
CompileResultCacheImpl._locator_classes.clear()
from cdep.compiled import compiled
@compiled
def twice(x):
    return 2 * x
assert twice(4) == 8 and twice.nopython_signatures
"""


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="ascii",
        cwd=ROOT,
        check=False,
    )


def test_help_in_an_ascii_terminal() -> None:
    result = run("-m", "psmr", "--help", **ASCII)
    assert (result.returncode, result.stderr) == (ExitCode.OK, "")
    assert "psmr demo kv" in result.stdout


def test_json_in_an_ascii_terminal_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, "ascii"))
    speak_any_encoding()
    print_json({"name": "größe"})
    assert json.loads(shown.getvalue().decode("ascii")) == {"name": "größe"}


def test_an_interruption_while_loading_is_silent() -> None:
    result = run("-c", INTERRUPTED)
    assert (result.returncode, result.stdout, result.stderr) == (ExitCode.INTERRUPTED, "", "")


def test_loading_leaves_ctrl_c_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with leaving_at_once():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with leaving_at_once():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_public_names_are_there_when_asked_for() -> None:
    assert set(psmr.__all__) <= set(dir(psmr))
    assert {getattr(psmr, name).__name__ for name in ("Map", "StateMachine", "connect")} == {
        "Map",
        "StateMachine",
        "connect",
    }
    with pytest.raises(AttributeError, match="module 'psmr' has no attribute 'Mapp'"):
        psmr.Mapp  # noqa: B018 - reading it is the test


@pytest.fixture
def read_only_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No folder can be made at home; the temporary folder."""
    for name in ("PSMR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/proc")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_read_only_home_has_its_cache_among_temporary_folders(read_only_home: Path) -> None:
    folder = cache_folder()
    assert folder.parent == read_only_home
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_folder() == folder


def test_code_is_not_taken_from_where_others_can_write(read_only_home: Path) -> None:
    cache_folder().chmod(0o777)
    with pytest.raises(ConfigurationError, match="found one that others can change: set PSMR_CACHE"):
        cache_folder()


def test_no_cache_folder_at_all_is_one_line(read_only_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    with pytest.raises(ConfigurationError, match=r"expected a folder for generated code .*: set PSMR_CACHE"):
        cache_folder()


def test_a_chosen_cache_folder_is_not_exchanged(read_only_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSMR_CACHE", "/proc/mine")
    assert cache_folder() == Path("/proc/mine")


def test_code_is_compiled_where_numba_can_keep_none() -> None:
    result = run("-c", WITHOUT_CACHES)
    assert (result.returncode, result.stderr) == (0, "")
