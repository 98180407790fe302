"""Whose data folder this is: checked before anything in it is read, and locked while it is used."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

import msgspec

from psmr.errors import ConfigurationError
from psmr.storage.files import Files, disk_errors, make_folder, replace_file

NAME = "identity.json"
LOCK_NAME = "lock"
FORMAT_VERSION = 1

_UNUSABLE = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
)
"""What the system says of a path that cannot be such a folder, whatever the disk is like."""

_CURE = "give this replica the folder it made, or an empty one."
_CURES = {
    "fingerprint": "commands, state or version of the service changed since the log was written, which then means something "
    "else: run the source that wrote it, or give the replicas empty folders."
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a folder belongs to; every field but the format must be equal to use it."""

    cluster: str
    cluster_id: int
    replica_id: int
    service: str
    fingerprint: str
    format_version: int = FORMAT_VERSION


class Claim:
    """A folder in use by this process; `close` gives it up, as does the process's end.

    Processes forked while it is held share the lock: it ends when the last of them does.
    """

    def __init__(self, folder: Path, identity: Identity, lock_fd: int) -> None:
        self.folder = folder
        self.identity = identity
        self._lock_fd = lock_fd

    def close(self) -> None:
        """Give the folder up."""
        if self._lock_fd != -1:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def claim(
    folder: Path,
    *,
    cluster: str,
    cluster_id: int,
    replica_id: int,
    service: str,
    fingerprint: int,
    files: Files | None = None,
    check_successor: Callable[[int], None] | None = None,
) -> Claim:
    """Lock `folder`, creating it if need be, and make sure it is this replica's; a new one becomes so.

    `check_successor` is called with the fingerprint found where only that is another, and raises unless the folder may be of the
    one given from now on. Raises ConfigurationError when another process uses it or it belongs to something else, DiskFailed.
    """
    files = files or Files()
    wanted = Identity(cluster, cluster_id, replica_id, service, f"{fingerprint:#018x}")
    lock_fd = _open_lock(folder, files)
    claimed = False
    try:
        _lock(folder, lock_fd)
        _check_or_create(folder / NAME, wanted, files, check_successor)
        claimed = True
    finally:
        if not claimed:
            os.close(lock_fd)
    return Claim(folder, wanted, lock_fd)


def _open_lock(folder: Path, files: Files) -> int:
    with disk_errors(files, folder / LOCK_NAME, "opening the data folder"):
        try:
            make_folder(files, folder)
            return os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno not in _UNUSABLE:
                raise
            raise ConfigurationError(
                f"{folder}: expected a data folder that can be made and written, found: {error.strerror}: "
                "give the cluster another one, or let this user write there."
            ) from None


def _lock(folder: Path, lock_fd: int) -> None:
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock_fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise ConfigurationError(
            f"{folder}: expected a data folder no other process uses, found it locked by process {holder}: "
            "stop that one, or give this replica a folder of its own."
        ) from None
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, b"%d\n" % os.getpid(), 0)


def _check_or_create(path: Path, wanted: Identity, files: Files, check_successor: Callable[[int], None] | None) -> None:
    with disk_errors(files, path, "reading the folder's identity"):
        text = path.read_bytes() if path.exists() else None
    if text is None:
        _write(path, wanted, files)
        return
    found = parse_identity(path, text)
    if check_successor is not None and found != wanted and _only_fingerprint_differs(found, wanted):
        check_successor(_number(path, found.fingerprint))
        _write(path, wanted, files)
        return
    for name, expected in asdict(wanted).items():
        if getattr(found, name) != expected:
            raise ConfigurationError(
                f"{path}: expected {name} {expected!r}, found {getattr(found, name)!r}: {_CURES.get(name, _CURE)}"
            )


def _write(path: Path, identity: Identity, files: Files) -> None:
    with disk_errors(files, path, "writing the folder's identity"):
        replace_file(files, path, msgspec.json.format(msgspec.json.encode(identity)) + b"\n", sync=True)


def _only_fingerprint_differs(found: Identity, wanted: Identity) -> bool:
    return replace(found, fingerprint=wanted.fingerprint, format_version=wanted.format_version) == wanted


def _number(path: Path, fingerprint: str) -> int:
    try:
        return int(fingerprint, 16)
    except ValueError as error:
        raise ConfigurationError(
            f"{path}: expected a fingerprint in hexadecimal, found {fingerprint!r}: {_CURE}"
        ) from error


def parse_identity(path: Path, text: bytes) -> Identity:
    """The identity that a folder's file holds; `path` is for messages. Raises ConfigurationError."""
    try:
        version = msgspec.json.decode(text, type=_Versioned).format_version
        if version > FORMAT_VERSION:
            raise ConfigurationError(
                f"{path}: expected data folder format {FORMAT_VERSION} or older, found {version}: "
                "run the version of psmr that made it, or a newer one."
            )
        return msgspec.json.decode(text, type=Identity)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Surplus fields are skipped, however deep they are nested: that ends in RecursionError.
        raise ConfigurationError(
            f"{path}: expected the JSON identity of a data folder, found {error}: "
            "put the file back, or move the folder away and start this replica empty."
        ) from error


class _Versioned(msgspec.Struct):
    """The one field that every format has."""

    format_version: int
