"""Generated proxies on disk: where they go, how they are written, how they are imported."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import stat
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Final

from cdep import Service, StateMachine, service_of
from proxies.client_text import client_text
from proxies.server_text import server_text
from psmr.errors import ConfigurationError

_EXPECTED_FOLDER: Final = "expected a folder for generated code that you alone can write to"
_SET_CACHE: Final = "set PSMR_CACHE to a folder that you can write to"
_importing: Final = threading.RLock()


def cache_folder() -> Path:
    """Where generated code goes: `$PSMR_CACHE`, else `$XDG_CACHE_HOME/psmr`, else `~/.cache/psmr`.

    Where that cannot be written to, a folder of the user's own among the temporary ones.
    """
    chosen = os.environ.get("PSMR_CACHE")
    if chosen:
        return Path(chosen)
    with suppress(RuntimeError):  # a user without a home, as in many containers
        usual = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "psmr"
        if _can_be_written(usual):
            return usual
    return _temporary_folder()


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _temporary_folder() -> Path:
    """A folder whose code may be trusted to be this user's: made by them, and open to nobody else."""
    path = Path(tempfile.gettempdir(), f"psmr-cache-{os.getuid()}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigurationError(f"{path}: {_EXPECTED_FOLDER}, found: {error.strerror}: {_SET_CACHE}") from None
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022 or not stat.S_ISDIR(found.st_mode):
        raise ConfigurationError(f"{path}: {_EXPECTED_FOLDER}, found one that others can change: {_SET_CACHE}")
    return path


def client_module(owner: type[StateMachine]) -> ModuleType:
    """The client proxies of a service, `AsyncNAME` and `BlockingNAME`, imported from the cache folder."""
    service = importable_service(owner)
    text = client_text(service)
    # Named after its content: two versions of a service, or of the generator, never write over each other.
    version = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    stem = service.name.lower()
    path = write_file(cache_folder() / f"{stem}-client-{version}", "client.py", text)
    return import_file(f"psmr_generated_{stem}_client_{version}", path)


def write_proxies(owner: type[StateMachine], folder: Path) -> tuple[Path, Path]:
    """Write a service's proxies into a folder of the user's: `NAME_client.py` and `NAME_server.py`, in this order.

    The client is to be imported; the server is what replicas compile for themselves, to be read.
    """
    service = importable_service(owner)
    stem = _snake_case(service.name)
    cure = "give another folder"
    client = write_file(folder, f"{stem}_client.py", client_text(service), cure=cure)
    return client, write_file(folder, f"{stem}_server.py", server_text(service), cure=cure)


def importable_service(owner: type[StateMachine]) -> Service:
    """The service of a class that generated code can import; raises ConfigurationError for any other class."""
    service = service_of(owner)
    if "<locals>" in service.qualname or service.module == "__main__":
        raise ConfigurationError(
            f"service {service.name}: expected a class at the top of an importable module, found "
            f"{service.module}:{service.qualname}; move it to a module of its own"
        )
    return service


def write_file(folder: Path, name: str, text: str, *, cure: str = _SET_CACHE) -> Path:
    """Write a file, whole or not at all; one with the same content is left, so what was made of it stays valid."""
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            fresh = path.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}.new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a place to write to, found: {error.strerror}: {cure}") from None
    return path


def import_file(name: str, path: Path) -> ModuleType:
    """Import a source file under a name of its own, once a process."""
    with _importing:
        if name in sys.modules:
            return sys.modules[name]
        specification = importlib.util.spec_from_file_location(name, path)
        if specification is None or specification.loader is None:
            raise ConfigurationError(f"{path}: expected a Python source file")
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        try:
            specification.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]  # half a module would be found by the next import
            raise
        return module


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
