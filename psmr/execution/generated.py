"""Server proxies on disk: written once for what they depend on, imported like any module, machine code beside them."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType

import llvmlite
import numba
import numpy as np

import cdep
import proxies
import psmr
from cdep import Service, StateMachine
from cdep.code_digest import code_digest
from proxies.server_text import server_text
from psmr.core import event_format
from psmr.proxy_files import cache_folder, import_file, importable_service, write_file

__all__ = ["FOLDERS_KEPT", "cache_folder", "compiling", "has_machine_code", "import_file", "server_module", "write"]

FOLDERS_KEPT = 8
"""How many folders a service may have: one for each version of its source, of the engine or of Numba that was run lately."""


def server_module(owner: type[StateMachine]) -> ModuleType:
    """The server proxy of a service, imported from the cache folder; written there when it is new.

    The folder's name stands for everything the machine code depends on: the service's source and what it uses of other
    modules, the engine's, and the versions of what compiles it. Whoever comes first compiles, the others wait for it (`compiling`).
    """
    service = importable_service(owner)
    text = server_text(service)
    stem = service.name.lower()
    folder = cache_folder() / f"{stem}-{_dependencies(owner, text)}"
    module = import_file(f"psmr_generated_{stem}_{folder.name[-16:]}", write_file(folder, "server.py", text))
    _remove_old(folder, stem)
    return module


def write(folder: Path, service: Service) -> Path:
    """Write the server proxy into a folder; one with the same content is left, so its machine code stays valid."""
    return write_file(folder, "server.py", server_text(service))


@contextmanager
def compiling(module: ModuleType) -> Iterator[None]:
    """Hold the module's lock, so that of several processes one compiles and the others load what it left.

    Where nothing can be written there is no lock, and nothing to wait for: each process compiles for itself.
    """
    with ExitStack() as held:
        with suppress(OSError):
            lock = held.enter_context(_lock_of(Path(str(module.__file__)).parent).open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.utime(lock.name)  # when the folder was last used
        yield


def has_machine_code(module: ModuleType) -> bool:
    """Whether a server proxy's handlers have been compiled and kept: a replica that starts now only loads them."""
    return any(Path(module.run.stats.cache_path).glob("server.run-*.nbc"))


def _lock_of(folder: Path) -> Path:
    return folder / "server.lock"


def _remove_old(newest: Path, stem: str) -> None:
    """Remove the service's folders beyond `FOLDERS_KEPT` that were not used for longest; none in which someone compiles."""
    pattern = re.compile(re.escape(stem) + "-[0-9a-f]{16}")
    others = [path for path in _folders(newest.parent) if pattern.fullmatch(path.name) and path != newest]
    others.sort(key=_last_used, reverse=True)
    for folder in others[FOLDERS_KEPT - 1 :]:
        with suppress(OSError), _lock_of(folder).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _folders(parent: Path) -> list[Path]:
    try:
        return [path for path in parent.iterdir() if path.is_dir()]
    except OSError:
        return []


def _last_used(folder: Path) -> float:
    for path in (_lock_of(folder), folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _dependencies(owner: type[StateMachine], text: str) -> str:
    digest = hashlib.blake2b(digest_size=8)
    versions = (sys.version, np.__version__, numba.__version__, llvmlite.__version__, numba.config.CPU_NAME)
    digest.update(repr((versions, text)).encode())
    bases = [base for base in owner.__mro__ if base is not object]
    for base in bases:
        source = inspect.getsourcefile(base)
        if source:
            digest.update(Path(source).read_bytes())
    # Constants and functions of other modules are part of the machine code of the handlers that use them.
    digest.update(code_digest(*(part for base in bases for part in vars(base).values() if _is_function(part))).encode())
    digest.update(_engine_source())
    return digest.hexdigest()


def _is_function(part: object) -> bool:
    return isinstance(part, FunctionType)


@lru_cache(maxsize=1)
def _engine_source() -> bytes:
    digest = hashlib.blake2b(digest_size=8)
    for package, parts in ((cdep, ("",)), (proxies, ("",)), (psmr, ("state", "execution"))):
        for part in parts:
            for path in sorted((Path(str(package.__file__)).parent / part).glob("*.py")):
                digest.update(path.read_bytes())
    digest.update(Path(str(event_format.__file__)).read_bytes())
    return digest.digest()
