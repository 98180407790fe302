"""A refutation of stages in words: which stages, which cell, what the log says, what workers may do instead, and a cure."""

from __future__ import annotations

from cdep import Service
from cdep.words import keys_text
from psmr.verification.cells import MEMORY, READ, WRITE, cell_text
from psmr.verification.examining import Clash
from psmr.verification.orders import call_text, calls_text
from psmr.verification.shrinking import Refutation
from psmr.verification.stages import EARLY, MAIN, PASSING, Kind
from psmr.verification.wording import VERBS, place_text


def explained_stages(service: Service, found: Refutation, kind: Kind) -> list[str]:
    """What is wrong, a line each, as `psmr.verification.explaining.explained`."""
    first, second = call_text(found.first), call_text(found.second)
    names = _stage_names(service, found.first.command, found.second.command, kind)
    lines = [] if found.clash is None else [_access_text(service, found.clash, kind, names)]
    if kind == PASSING:
        lines.append(
            f"after {calls_text(found.before)}, then {first} and {second}: {names[1]} of the second may run before {names[0]} "
            "of the first, or beside it"
        )
    else:
        lines.append(
            f"after {calls_text(found.before)}, then {first} and {second}: {names[0]} and {names[1]} may run in either order"
        )
    lines += [f"then {difference}" for difference in found.differences]
    if not found.differences:
        lines.append("no reply, event or value shows it here, but two workers that do it at once can lose one of them")
    lines.append(f"cure: {_cure_text(service, found, kind)}")
    return lines


def _stage_names(service: Service, first: str, second: str, kind: Kind) -> tuple[str, str]:
    def main(name: str) -> str:
        command = service.command(name)
        return f"the main stage {name}" if command.early is not None else name

    def early(name: str) -> str:
        command = service.command(name)
        return f"the early stage {command.early.method}" if command.early is not None else name

    return (early if kind == EARLY else main)(first), (main if kind == MAIN else early)(second)


def _access_text(service: Service, found: Clash, kind: Kind, names: tuple[str, str]) -> str:
    cell = cell_text(found.cell)
    one = f"{names[0]} of {service.name} {VERBS[found.how[0]]} {cell} ({place_text(found.places[0])})"
    other = f"{names[1]} {VERBS[found.how[1]]} it ({place_text(found.places[1])})"
    if kind == PASSING:
        return f"{one} and {other}, and nothing orders a main stage with early stages behind it"
    declared = "; ".join(
        f"{call_text(call)} is declared to touch {keys_text(service.command(call.command))}"
        for call in (found.first, found.second)
    )
    return f"{one} and {other}, but the keys of these stages do not order them: {declared}"


def _cure_text(service: Service, found: Refutation, kind: Kind) -> str:
    clash = found.clash
    if kind != PASSING:
        which = "early" if kind == EARLY else "main"
        return f'name what belongs to the cell as a key of the {which} stage, or declare the command stage="exact" or @dependent'
    command = service.command(found.second.command)
    if clash is None:
        return "keep all that a handler remembers in declared state"
    if service.command(found.first.command).stage == "exact":
        return f"name what {found.first.command} touches of the early stages' state among its keys, or declare it @dependent"
    if clash.cell.kind in MEMORY:
        return "keep what early stages touch in containers of their own, in rows of eight bytes"
    if clash.how == (WRITE, READ) and command.early is None:
        return f'declare {command.name} stage="exact": it sees what main stages before it have done'
    if clash.how == (WRITE, READ):
        return (
            "have the early stage return WAIT wherever main stages that are still to come could change what it answers or writes; "
            "and have main stages raise before they write what early stages read"
        )
    if clash.how[0] == READ:
        return "let the early stage carry it to the main stage, which may read nothing that early stages write"
    return (
        "give early and main stages words of their own, such as a sum of what was reserved and one of what was released"
    )
