"""Server proxies on disk: written once for what they depend on, imported like any module, machine code beside them."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import llvmlite
import numba
import numpy as np

import cdep
import proxies
import psmr
from cdep import Service, StateMachine, service_of
from proxies.server_text import server_text
from psmr.proxy_files import cache_folder, import_file, importable_service, write_file

__all__ = ["cache_folder", "compiling", "import_file", "server_module", "write"]


def server_module(owner: type[StateMachine]) -> ModuleType:
    """The server proxy of a service, imported from the cache folder; written there when it is new.

    The folder's name stands for everything the machine code depends on: the service's source, the engine's, and the
    versions of what compiles it. Whoever comes first compiles, the others wait for it (`compiling`).
    """
    service = importable_service(owner)
    folder = cache_folder() / f"{service.name.lower()}-{_dependencies(owner)}"
    return import_file(f"psmr_generated_{service.name.lower()}_{folder.name[-16:]}", write(folder, service))


def write(folder: Path, service: Service) -> Path:
    """Write the server proxy into a folder; one with the same content is left, so its machine code stays valid."""
    return write_file(folder, "server.py", server_text(service))


@contextmanager
def compiling(module: ModuleType) -> Iterator[None]:
    """Hold the module's lock, so that of several processes one compiles and the others load what it left."""
    path = Path(str(module.__file__)).with_suffix(".lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _dependencies(owner: type[StateMachine]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    versions = (sys.version, np.__version__, numba.__version__, llvmlite.__version__, numba.config.CPU_NAME)
    digest.update(repr((versions, service_of(owner).specification())).encode())
    for base in owner.__mro__:
        source = inspect.getsourcefile(base) if base is not object else None
        if source:
            digest.update(Path(source).read_bytes())
    digest.update(_engine_source())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _engine_source() -> bytes:
    digest = hashlib.blake2b(digest_size=8)
    for package, parts in ((cdep, ("",)), (proxies, ("",)), (psmr, ("state", "execution"))):
        for part in parts:
            for path in sorted((Path(str(package.__file__)).parent / part).glob("*.py")):
                digest.update(path.read_bytes())
    return digest.digest()
