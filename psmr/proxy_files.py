"""Generated proxies on disk: where they go, how they are written, how they are imported."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Final

from cdep import Service, StateMachine, service_of
from proxies.client_text import client_text
from proxies.server_text import server_text
from psmr.errors import ConfigurationError

_importing: Final = threading.RLock()


def cache_folder() -> Path:
    """Where generated code goes: `$PSMR_CACHE`, else `$XDG_CACHE_HOME/psmr`, else `~/.cache/psmr`."""
    chosen = os.environ.get("PSMR_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "psmr"


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
    client = write_file(folder, f"{stem}_client.py", client_text(service))
    return client, write_file(folder, f"{stem}_server.py", server_text(service))


def importable_service(owner: type[StateMachine]) -> Service:
    """The service of a class that generated code can import; raises ConfigurationError for any other class."""
    service = service_of(owner)
    if "<locals>" in service.qualname or service.module == "__main__":
        raise ConfigurationError(
            f"service {service.name}: expected a class at the top of an importable module, found "
            f"{service.module}:{service.qualname}; move it to a module of its own"
        )
    return service


def write_file(folder: Path, name: str, text: str) -> Path:
    """Write a file, whole or not at all; one with the same content is left, so what was made of it stays valid."""
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            fresh = path.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}.new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written ({error}); set PSMR_CACHE to a folder that can") from error
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
