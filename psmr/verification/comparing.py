"""What is declared beside what traces propose: the same, stricter than need be, or too weak."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cdep import Command, Condition, Service, condition
from psmr.verification.cells import KEYS, WRITE, Place, cell_text
from psmr.verification.coverage import Line
from psmr.verification.inference import Found, Named
from psmr.verification.wording import place_text

Verdict = Literal[
    "as declared", "declared too strictly", "declared too weakly", "declared otherwise", "not seen whole", "undecided"
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One command: how it is declared, what is proposed, and why."""

    command: str
    declared: str
    proposed: str
    verdict: Verdict
    reason: str
    executions: int


def compared(
    service: Service,
    proposed: Service,
    found: dict[str, Found],
    missing: Mapping[str, Collection[Line]],
    refuted: Collection[str],
) -> list[Comparison]:
    """Every command of the service; `missing` are the lines of each that were never executed, `refuted` commands in a conflict
    that C-Dep does not order.

    While lines are missing, no command is said to be declared too strictly: they may touch more, or change what it reads. None
    is said to be declared too weakly that is in no such conflict: its keys name what it touches in a way that was not understood.
    """
    unseen = sorted({line for lines in missing.values() for line in lines})
    return [
        _comparison(service, proposed.command(command.name), found[command.name], unseen, command.name in refuted)
        for command in service.commands
    ]


def decorator_text(command: Command) -> str:
    """The annotation as it is written: `@partially_dependent("source", "target", domain="account")`."""
    if command.kind == "independent":
        return "@independent"
    if command.kind == "dependent":
        return "@dependent" if command.access == WRITE else '@dependent(access="read")'
    keys = command.dependencies
    words = [f'"{key.parameter}"' for key in keys]
    if any(key.domain != key.parameter for key in keys):
        words.append("domain=" + _spread([(key.parameter, key.domain) for key in keys]))
    if any(key.access != WRITE for key in keys):
        words.append("access=" + _spread([(key.parameter, key.access) for key in keys]))
    return f"@partially_dependent({', '.join(words)})"


def _spread(pairs: Sequence[tuple[str, str]]) -> str:
    values = {value for _, value in pairs}
    if len(values) == 1:
        return f'"{pairs[0][1]}"'
    return "{" + ", ".join(f'"{name}": "{value}"' for name, value in pairs) + "}"


def _comparison(service: Service, proposed: Command, found: Found, unseen: list[Line], is_refuted: bool) -> Comparison:
    declared = found.command
    verdict: Verdict = _verdict(service, declared, proposed) if found.successes else "undecided"
    reason = _reason(found)
    if verdict == "declared too strictly" and unseen:
        verdict = "not seen whole"
        reason = f"{reason}, as far as was seen; never reached: {lines_text(unseen)}"
    if verdict in ("declared too weakly", "declared otherwise") and not is_refuted:
        verdict, proposed = "as declared", declared
        reason = f"nothing contradicts it, though: {reason}"
    shown = declared if verdict == "as declared" else proposed
    return Comparison(declared.name, decorator_text(declared), decorator_text(shown), verdict, reason, found.executions)


def lines_text(lines: Iterable[Line]) -> str:
    """Lines as `bank.py:31, 33-40`."""
    by_path: dict[str, list[int]] = {}
    for path, line in sorted(lines):
        by_path.setdefault(place_text(Place(path, line, "")).rpartition(":")[0], []).append(line)
    return "; ".join(f"{path}:{', '.join(_ranges(numbers))}" for path, numbers in by_path.items())


def _ranges(numbers: list[int]) -> list[str]:
    """Ascending numbers, consecutive ones as `57-68`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def _verdict(service: Service, declared: Command, proposed: Command) -> Verdict:
    """Against all commands as they are declared, the command itself among them."""
    others = [other for other in service.commands if other.name != declared.name]
    before = [condition(declared, other) for other in others] + [condition(declared, declared)]
    after = [condition(proposed, other) for other in others] + [condition(proposed, proposed)]
    is_weaker = any(not _covers(new, old) for old, new in zip(before, after, strict=True))
    is_stronger = any(not _covers(old, new) for old, new in zip(before, after, strict=True))
    if is_weaker and is_stronger:
        return "declared otherwise"
    if is_weaker:
        return "declared too strictly"
    return "declared too weakly" if is_stronger else "as declared"


def _covers(one: Condition | None, other: Condition | None) -> bool:
    """Whether two calls conflict by `one` whenever they conflict by `other`."""
    if other is None or one == "always":
        return True
    if one is None or other == "always":
        return False
    return {frozenset(pair) for pair in other} <= {frozenset(pair) for pair in one}


def _reason(found: Found) -> str:
    if not found.executions:
        return "it was not executed, so nothing is known of it"
    if not found.successes:
        return f"it has raised in each of its {found.executions} executions, so nothing is known of it"
    if found.widened_for is not None:
        return f"calls of it and {found.widened_for} conflict in cells that their parameters do not name"
    if found.unnamed is not None:
        cell, place = cell_text(found.unnamed.cell), place_text(found.unnamed.place)
        which = "all of them at once" if found.unnamed.cell.kind == KEYS else "which no parameter names"
        return f"{found.unnamed.how}s {cell}, {which} ({place})"
    if found.touches_nothing_changed:
        return "touches nothing that any command changes"
    texts = [_named_text(named) for named in found.named]
    texts += [
        f"only dependent commands write {cell_text(one.cell)}, which it reads ({place_text(one.place)})"
        for one in found.read_unnamed.values()
    ]
    return "; ".join(texts)


def _named_text(named: Named) -> str:
    how = "computes the place from" if named.is_computed else "is the key in"
    containers = ", ".join(named.containers)
    verb = "writes there" if named.access == WRITE else "only reads there"
    if named.is_computed:
        return f"{how} {named.parameter} in {containers}, and {verb}"
    return f"{named.parameter} {how} {containers}, and it {verb}"
