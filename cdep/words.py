"""The relation and the groups in words, for tables and pictures."""

from __future__ import annotations

from cdep.command import Command, Dependency
from cdep.hashing import GROUPS
from cdep.relation import condition
from cdep.service import Service


def kind_text(command: Command) -> str:
    """The command's class: "partial write", "dependent read", "independent", "partial write, staged", "partial read, exact"."""
    kind = command.kind if command.access == "none" else f"{command.kind} {command.access}"
    stage = "staged" if command.early else command.stage
    return kind if stage is None else f"{kind}, {stage}"


def parameters_text(command: Command) -> str:
    """The parameters with their types: "account: u64, amount: i64"."""
    return ", ".join(f"{parameter.name}: {parameter.type.name}" for parameter in command.parameters)


def keys_text(command: Command) -> str:
    """What the command touches: "account read", "source (account) write", "everything write", "nothing"; by stages:
    "client write, then instrument write".
    """
    if command.kind == "dependent":
        return f"everything {command.access}"
    main = _dependencies_text(command.dependencies)
    return f"{_dependencies_text(command.early.dependencies)}, then {main}" if command.early else main


def _dependencies_text(dependencies: tuple[Dependency, ...]) -> str:
    keys = []
    for key in dependencies:
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
    domain_of = {key.parameter: key.domain for key in a.touched}
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
    """The groups of a command: "1 of 64 by account", "1 to 2 of 64 by source, target", "all 64"; by stages: "1 of 64 by client,
    then 1 of 64 by instrument", "all 64, once everything before it is complete".
    """
    if command.stage == "exact":
        return f"all {GROUPS}, once everything before it is complete"
    main = _main_groups_text(service, command)
    if command.early is None:
        return main
    return f"{_by_text([key.parameter for key in command.early.dependencies])}, then {main}"


def _main_groups_text(service: Service, command: Command) -> str:
    spread = [key for key in command.dependencies if key.domain in service.spread_reads]
    if command.kind == "dependent" or any(key.access == "write" for key in spread):
        return f"all {GROUPS}"
    by = [key.parameter for key in command.dependencies if key not in spread]
    if spread or command.kind == "independent":
        by.append("position")
    return _by_text(by)


def _by_text(by: list[str]) -> str:
    return f"{'1' if len(by) == 1 else f'1 to {len(by)}'} of {GROUPS} by {', '.join(by)}"


def _keys_in(command: Command, domain: str) -> int:
    return sum(key.domain == domain for key in command.touched)
