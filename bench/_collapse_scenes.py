"""What is measured: applications, each with workloads that differ in how many keys there are and how the calls spread over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from psmr.services import app_names


@dataclass(frozen=True, slots=True)
class Scene:
    """An application under one workload; `parameters` are the workload's own."""

    app: str
    label: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """For tables."""
        return f"{self.app}: {self.label}"


_UNIFORM = {"distribution": "uniform"}
_SCENES = (
    Scene("kv", "10,000 keys, zipfian"),
    Scene("kv", "10,000 keys, uniform", _UNIFORM),
    Scene("kv", "16 keys, uniform", {"keys": "16", **_UNIFORM}),
    Scene("kv", "half updates (YCSB A), zipfian", {"mix": "A"}),
    Scene("nameserver", "2,000 names, zipfian"),
    Scene("nameserver", "100 names, zipfian", {"names": "100"}),
    Scene("netfs", "1 % changes of structure"),
    Scene("netfs", "10 % changes of structure", {"structure": "1000"}),
    Scene("book", "1,000 instruments, zipfian"),
    Scene("book", "1,000 instruments, uniform", {"distribution": "uniform"}),
    Scene("book", "10 instruments, zipfian", {"instruments": "10"}),
    Scene("book", "1 instrument", {"instruments": "1"}),
    Scene("credit", "1,000 clients, zipfian"),
    Scene("credit", "1,000 clients, uniform", {"distribution": "uniform"}),
    Scene("credit", "20 clients, zipfian", {"clients": "20"}),
    *(
        Scene(f"exchange:{variant}", label, parameters)
        for variant in ("plain", "staged")
        for label, parameters in (
            ("1,000 instruments, 10,000 clients, zipfian", {}),
            ("1,000 instruments, 10,000 clients, uniform", {"distribution": "uniform"}),
            ("10 instruments, 100 clients, zipfian", {"instruments": "10", "clients": "100"}),
        )
    ),
    Scene("exchange:staged", "1,000 instruments, 10,000 clients, ample credit", {"room": "400"}),
)
QUICK = ("nameserver",)
"""Of these the first scene, where little time is to be spent."""


def scenes(quick: bool) -> list[Scene]:
    """The scenes of the applications that are there."""
    known = set(app_names())
    found = [scene for scene in _SCENES if scene.app.partition(":")[0] in known]
    if not quick:
        return found
    return [next(scene for scene in found if scene.app == app) for app in QUICK if app in known]
