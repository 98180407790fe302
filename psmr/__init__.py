"""Parallel state-machine replication: a Python class becomes a replicated service that executes commands in parallel."""

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
