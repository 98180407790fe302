"""Parallel state-machine replication: a Python class becomes a replicated service whose replicas execute in parallel."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdep import (
        WAIT,
        Carried,
        DeclarationError,
        Max,
        Size,
        StateMachine,
        dependent,
        early,
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
    from psmr.client.connecting import connect, connect_blocking
    from psmr.state.array import Array, Table
    from psmr.state.bits import highest_bit, lowest_bit
    from psmr.state.event import Event
    from psmr.state.hint import Hint
    from psmr.state.key_groups import group_of_key
    from psmr.state.map import Map
    from psmr.state.scratch import Scratch

__version__ = "0.1.0"

__all__ = [
    "WAIT",
    "Array",
    "Carried",
    "DeclarationError",
    "Event",
    "Hint",
    "Map",
    "Max",
    "Scratch",
    "Size",
    "StateMachine",
    "Table",
    "connect",
    "connect_blocking",
    "dependent",
    "early",
    "f64",
    "group_of_key",
    "highest_bit",
    "i8",
    "i16",
    "i32",
    "i64",
    "independent",
    "lowest_bit",
    "partially_dependent",
    "u8",
    "u16",
    "u32",
    "u64",
]

_ELSEWHERE = {
    "Array": "psmr.state.array",
    "Event": "psmr.state.event",
    "Hint": "psmr.state.hint",
    "Map": "psmr.state.map",
    "Scratch": "psmr.state.scratch",
    "Table": "psmr.state.array",
    "connect": "psmr.client.connecting",
    "connect_blocking": "psmr.client.connecting",
    "group_of_key": "psmr.state.key_groups",
    "highest_bit": "psmr.state.bits",
    "lowest_bit": "psmr.state.bits",
}
"""Where a public name is defined; all others are of `cdep`."""

if not TYPE_CHECKING:
    # A type checker must not see this function: it would believe in any name of this module.

    def __getattr__(name: str) -> object:
        """A public name, imported when first asked for (PEP 562).

        So the command line says what it can do without loading a compiler, and a service's module needs no sockets.
        """
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_ELSEWHERE.get(name, "cdep")), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
