"""Does the simulation catch a planted fault, and when?"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from msgspec import Struct

from psmr.simulation.faults.planting import PlantedFault, planted


class Caught(Struct, frozen=True):
    """The seed at which a fault showed, and what was said; `seed` is None for one that went unnoticed."""

    fault: str
    seeds: int
    seed: int | None
    detail: str


def catch(fault: PlantedFault, start: int = 0) -> Caught:
    """Run schedules with the fault until one fails, as many as its budget allows."""
    with planted(fault):
        core, whole = ("psmr.simulation", "simulate"), ("psmr.simulation.cluster", "simulate_cluster")
        module, name = core if fault.core else whole
        run: Callable[[int, int], object] = getattr(import_module(module), name)
        for seed in range(start, start + fault.seeds):
            detail = _failure(run, seed, fault.replicas)
            if detail is not None:
                return Caught(fault.name, fault.seeds, seed, detail)
    return Caught(fault.name, fault.seeds, None, "")


def _failure(run: Callable[[int, int], object], seed: int, replicas: int) -> str | None:
    try:
        run(seed, replicas)
    except Exception as error:  # noqa: BLE001 - a faulty engine may fail in any way; each of them shows the fault
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
