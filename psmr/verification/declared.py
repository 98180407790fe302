"""What a declaration says of single calls: `cdep.conflict` and `cdep.groups.mask` for a search that asks millions of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cdep import ALL_GROUPS, Service, mask
from cdep import Call as DeclaredCall
from cdep.relation import key_of
from psmr.verification.machine import Call

_POSITIONS = range(16)


class Footprint(NamedTuple):
    """The variables that a call says it reads and writes; None: the whole state."""

    reads: frozenset[tuple[str, int | bytes]] | None
    writes: frozenset[tuple[str, int | bytes]] | None


_NOTHING: frozenset[tuple[str, int | bytes]] = frozenset()


def ordered(one: Footprint, other: Footprint) -> bool:
    """Whether C-Dep orders two calls: `cdep.conflict` on their footprints."""
    return _meet(one.writes, other.writes) or _meet(one.writes, other.reads) or _meet(one.reads, other.writes)


def _meet(one: frozenset[tuple[str, int | bytes]] | None, other: frozenset[tuple[str, int | bytes]] | None) -> bool:
    if one is None:
        return other is None or bool(other)
    if other is None:
        return bool(one)
    return not one.isdisjoint(other)


def footprints(service: Service) -> Callable[[Call], Footprint]:
    """A function from a call to its footprint."""
    plans = {}
    for command in service.commands:
        names = [parameter.name for parameter in command.parameters]
        plans[command.name] = [
            (names.index(key.parameter), key.domain, key.access, command.parameter(key.parameter).type)
            for key in command.touched
        ]
    fixed = {
        command.name: _whole(command.kind, command.access) for command in service.commands if command.kind != "partial"
    }

    def footprint(call: Call) -> Footprint:
        if call.command in fixed:
            return fixed[call.command]
        touched = [
            (access, (domain, key_of(kind, call.arguments[place])))
            for place, domain, access, kind in plans[call.command]
        ]
        reads = frozenset(variable for access, variable in touched if access == "read")
        return Footprint(reads, frozenset(variable for access, variable in touched if access == "write"))

    return footprint


def _whole(kind: str, access: str) -> Footprint:
    if kind == "independent" or access == "none":
        return Footprint(_NOTHING, _NOTHING)
    return Footprint(_NOTHING, None) if access == "write" else Footprint(None, _NOTHING)


def may_share_no_group(service: Service, one: DeclaredCall, other: DeclaredCall) -> bool:
    """Whether two workers may execute the calls at once: at some positions of a batch they have no group in common."""
    masks = {mask(service, one, position) for position in _POSITIONS}
    others = {mask(service, other, position + len(_POSITIONS)) for position in _POSITIONS}
    if ALL_GROUPS in masks or ALL_GROUPS in others:
        return False
    return any(first & second == 0 for first in masks for second in others)
