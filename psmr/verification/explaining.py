"""A refutation in words: which handler, which line, which cell, what was declared, and what would be true instead."""

from __future__ import annotations

from cdep import Command, Service
from cdep.words import keys_text
from psmr.verification.cells import GROUP, KEYS, READ, WORD, WRITE, Cell, cell_text
from psmr.verification.examining import Clash
from psmr.verification.explaining_stages import explained_stages
from psmr.verification.machine import Call
from psmr.verification.orders import call_text, calls_text
from psmr.verification.shrinking import Refutation
from psmr.verification.wording import VERBS, place_text


def explained(service: Service, found: Refutation) -> list[str]:
    """What is wrong, a line each: the undeclared access, the state it happens in, what the orders make different, a cure."""
    if found.kind is not None:
        return explained_stages(service, found, found.kind)
    first, second = call_text(found.first), call_text(found.second)
    lines = [] if found.clash is None else [access_text(service, found.clash)]
    lines.append(f"after {calls_text(found.before)}, {first} and {second} may run in either order")
    if found.differences:
        lines += [f"then {difference}" for difference in found.differences]
    else:
        lines.append(
            "no reply, event or value shows the order, but two workers that do it at once can lose one of them"
        )
    if found.clash is None:
        lines.append(
            "cure: keep all that a handler remembers in declared state; `psmr cdep lint` looks for what it keeps elsewhere"
        )
    else:
        lines.append(f"cure: {cure_text(service, found.clash)}")
    return lines


def access_text(service: Service, found: Clash) -> str:
    """The undeclared access: handler, line, cell, declared keys, and the other command."""
    how, other_how = found.how
    cell = cell_text(found.cell)
    one = f"{service.name}.{found.first.command} {VERBS[how]} {cell} ({place_text(found.places[0])})"
    other = f"{service.name}.{found.second.command} {VERBS[other_how]} it ({place_text(found.places[1])})"
    declared = f"{declared_text(service, found.first)}; {declared_text(service, found.second)}"
    return f"{one} and {other}, but their declarations do not order them: {declared}"


def declared_text(service: Service, call: Call) -> str:
    """What the declaration says that a call touches: `move(1, 2, 5) touches source (account) write = 1`."""
    command = service.command(call.command)
    return f"{call_text(call)} is declared to touch {keys_text(command)}"


def cure_text(service: Service, found: Clash) -> str:
    """What declaration would be true."""
    if found.cell.kind == GROUP:
        return (
            "insert and remove only keys that are the value of a key parameter: the keys of a group share memory, and one worker "
            "owns it"
        )
    if found.cell.kind == WORD:
        return "write only rows that are the value of a key parameter, or give them values of eight bytes, each in words of its own"
    for call, how in ((found.first, found.how[0]), (found.second, found.how[1])):
        command = service.command(call.command)
        if command.access == READ and how != READ:
            return f'{call.command} is declared access="read", and writes: declare access="write"'
    cures = [_cure_of(service.command(call.command), call, found.cell) for call in (found.first, found.second)]
    wrong = [cure for cure in cures if cure]
    return "; ".join(dict.fromkeys(wrong)) or _one_domain(service, found)


def _one_domain(service: Service, found: Clash) -> str:
    """Both commands name the cell by a key, in different domains."""
    named = []
    for call in (found.first, found.second):
        command = service.command(call.command)
        values = {parameter.name: value for parameter, value in zip(command.parameters, call.arguments, strict=True)}
        named += [
            f"{key.parameter!r} of {command.name}"
            for key in command.dependencies
            if values[key.parameter] == found.cell.key
        ]
    names = " and ".join(dict.fromkeys(named)) or "the parameters that name it"
    return f"give {names} one domain, domain=..."


def _cure_of(command: Command, call: Call, cell: Cell) -> str | None:
    """What to change at one of the two commands; None if its declaration may be as it should."""
    names = [
        parameter.name
        for parameter, value in zip(command.parameters, call.arguments, strict=True)
        if cell.kind != KEYS and type(value) is type(cell.key) and value == cell.key
    ]
    declared = [key.parameter for key in command.dependencies]
    if command.kind == "dependent" or any(
        key.access == WRITE and key.parameter in names for key in command.dependencies
    ):
        return None
    missing = [name for name in names if name not in declared]
    if missing and not set(names) & set(declared):
        return f"name {missing[0]!r} as a key of {command.name}, in one domain with what the other names"
    if names:
        return None
    return f"annotate {command.name} with @dependent: no parameter of it names {cell_text(cell)}"
