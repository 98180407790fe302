"""Parallel state-machine replication: a Python class becomes a replicated service whose replicas execute in parallel."""

from typing import TYPE_CHECKING

from cdep import (
    DeclarationError,
    Max,
    Size,
    StateMachine,
    dependent,
    f64,
    i8,
    i16,
    i32,
    i64,
    independent,
    partially_dependent,
    u8,
    u16,
    u32,
    u64,
)
from psmr.state.array import Array, Table
from psmr.state.map import Map
from psmr.state.scratch import Scratch

if TYPE_CHECKING:
    from psmr.client.connecting import connect, connect_blocking

__version__ = "0.1.0"

__all__ = [
    "Array",
    "DeclarationError",
    "Map",
    "Max",
    "Scratch",
    "Size",
    "StateMachine",
    "Table",
    "connect",
    "connect_blocking",
    "dependent",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "independent",
    "partially_dependent",
    "u8",
    "u16",
    "u32",
    "u64",
]

if not TYPE_CHECKING:
    # A type checker must not see this function: it would believe in any name of this module.

    def __getattr__(name: str) -> object:
        """The clients, imported when first asked for: a service's module needs neither sockets nor event loops."""
        if name not in ("connect", "connect_blocking"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from psmr.client import connecting

        return getattr(connecting, name)
