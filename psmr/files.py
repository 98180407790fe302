"""Writing a file that a user asked for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from psmr.errors import ConfigurationError


def write_whole(path: Path, text: str, *, what: str, starts_with: str) -> None:
    """Write a file whole or not at all. A file that is not the like of it, and may be somebody's work, stays."""
    with _complaining(path, what):
        _refuse_to_replace(path, what, starts_with)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            # What came with JSON or EDN may hold half a surrogate pair, which no encoding has.
            with open(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise


def check_place(path: Path, *, what: str, starts_with: str) -> None:
    """Raise now what `write_whole` would raise after long work: no folder there, no permission, somebody's file."""
    with _complaining(path, what):
        _refuse_to_replace(path, what, starts_with)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return


@contextmanager
def line_by_line(path: Path, *, what: str, starts_with: str) -> Iterator[Callable[[str], None]]:
    """A new file that grows by a whole line at a time, for who reads it meanwhile; refuses what `write_whole` does."""
    check_place(path, what=what, starts_with=starts_with)
    with _complaining(path, what):
        file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed below: a line is one write, or is not there

    def add(line: str) -> None:
        with _complaining(path, what):
            file.write(line.encode() + b"\n")

    with file:
        yield add


@contextmanager
def _complaining(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _no_place(path, what, error) from None


def _no_place(path: Path, what: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: expected a place to write {what} to, found: {error.strerror}: give another path"
    )


def _refuse_to_replace(path: Path, what: str, starts_with: str) -> None:
    if not path.exists():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        start = file.read(len(starts_with))
    if start not in ("", starts_with):
        raise ConfigurationError(
            f"{path}: expected {what} or no file, found a file that is something else: give another path"
        )


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
