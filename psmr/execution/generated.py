"""Generated proxies on disk: written once for what they depend on, imported like any module, their machine code beside them."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import inspect
import os
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
from psmr.errors import ConfigurationError


def cache_folder() -> Path:
    """Where generated code goes: `$PSMR_CACHE`, else `$XDG_CACHE_HOME/psmr`, else `~/.cache/psmr`."""
    chosen = os.environ.get("PSMR_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "psmr"


def server_module(owner: type[StateMachine]) -> ModuleType:
    """The server proxy of a service, imported from the cache folder; written there when it is new.

    The folder's name stands for everything the machine code depends on: the service's source, the engine's, and the
    versions of what compiles it. Whoever comes first compiles, the others wait for it (`compiling`).
    """
    service = service_of(owner)
    if "<locals>" in service.qualname or service.module == "__main__":
        raise ConfigurationError(
            f"service {service.name}: expected a class at the top of an importable module, "
            f"found {service.module}:{service.qualname}; move it to a module of its own, or execute it interpreted"
        )
    folder = cache_folder() / f"{service.name.lower()}-{_dependencies(owner)}"
    return import_file(f"psmr_generated_{service.name.lower()}_{folder.name[-16:]}", write(folder, service))


def write(folder: Path, service: Service) -> Path:
    """Write the server proxy into a folder; a file with the same content is left as it is, so its machine code stays valid."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "server.py"
    text = server_text(service)
    if not path.exists() or path.read_text() != text:
        fresh = folder / f"server.{os.getpid()}.new"
        fresh.write_text(text)
        fresh.replace(path)
    return path


def import_file(name: str, path: Path) -> ModuleType:
    """Import a source file under a name of its own, once a process."""
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ConfigurationError(f"{path}: expected a Python source file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


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
