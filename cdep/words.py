"""The relation and the groups in words, for tables and pictures."""

from __future__ import annotations

from cdep.command import Command
from cdep.hashing import GROUPS
from cdep.relation import condition
from cdep.service import Service


def kind_text(command: Command) -> str:
    """The command's class: "partial write", "dependent read", "independent"."""
    return command.kind if command.access == "none" else f"{command.kind} {command.access}"


def parameters_text(command: Command) -> str:
    """The parameters with their types: "account: u64, amount: i64"."""
    return ", ".join(f"{parameter.name}: {parameter.type.name}" for parameter in command.parameters)


def keys_text(command: Command) -> str:
    """What the command touches: "account read", "source (account) write", "everything write", "nothing"."""
    if command.kind == "dependent":
        return f"everything {command.access}"
    keys = []
    for key in command.dependencies:
        name = key.parameter if key.parameter == key.domain else f"{key.parameter} ({key.domain})"
        keys.append(f"{name} {key.access}")
    return ", ".join(keys) or "nothing"


def condition_text(a: Command, b: Command) -> str:
    """When a call of `a` conflicts with one of `b`: "always", "same account"; empty for never.

    A domain stands for its pairs only where all of them conflict; otherwise each pair is spelled out.
    """
    found = condition(a, b)
    if found is None or found == "always":
        return found or ""
    domain_of = {key.parameter: key.domain for key in a.dependencies}
    same, spelled = [], []
    for domain in dict.fromkeys(domain_of[first] for first, _ in found):
        pairs = [pair for pair in found if domain_of[pair[0]] == domain]
        whole = len(pairs) == _keys_in(a, domain) * _keys_in(b, domain)
        if whole:
            same.append(domain)
        else:
            spelled += [f"{one} = {other}" for one, other in pairs]
    return " or ".join([*([f"same {' or '.join(same)}"] if same else []), *spelled])


def groups_text(service: Service, command: Command) -> str:
    """The groups of a command: "1 of 64 by account", "1 to 2 of 64 by source, target", "all 64"."""
    spread = [key for key in command.dependencies if key.domain in service.spread_reads]
    if command.kind == "dependent" or any(key.access == "write" for key in spread):
        return f"all {GROUPS}"
    by = [key.parameter for key in command.dependencies if key not in spread]
    if spread or command.kind == "independent":
        by.append("position")
    return f"{'1' if len(by) == 1 else f'1 to {len(by)}'} of {GROUPS} by {', '.join(by)}"


def _keys_in(command: Command, domain: str) -> int:
    return sum(key.domain == domain for key in command.dependencies)
