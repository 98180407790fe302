"""Annotations proposed from traces: which parameters name the cells that a command touches.

A parameter names a cell when the cell's key is its value, in every execution; or, of rows, when each row was only ever touched
for one value of it (`table.price[book * 64 + place]`). Parameters that name cells of one container share a domain. A command
that touches a cell which no parameter names is dependent; one that touches nothing that any command changes is independent. What
comes out is tried on every execution seen: a proposal that would leave two conflicting calls unordered is widened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cdep import Command, Dependency, Service
from psmr.verification.cells import ADD, KEYS, MEMORY, READ, VALUE, WOULD, WRITE, Cell, Place
from psmr.verification.declared import footprints
from psmr.verification.examining import Trial, pairs
from psmr.verification.observed import Observed

_CHANGING = frozenset((WRITE, ADD, WOULD))
_VALUES_MIN = 3
"""Of a parameter, not declared as a key, that is to name rows which do not carry its value: how many values must be seen."""


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A cell that no parameter names: why a command has to be dependent."""

    cell: Cell
    how: str
    place: Place


@dataclass(frozen=True, slots=True)
class Named:
    """A parameter that names cells of some containers, and whether any of them is written."""

    parameter: str
    access: str
    containers: tuple[str, ...]
    is_computed: bool
    """Whether the cell's key is computed from the value, not the value itself."""


@dataclass
class Found:
    """What the executions of one command have shown."""

    command: Command
    executions: int = 0
    successes: int = 0
    writes: bool = False
    named: list[Named] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    """Containers in which it changes values."""
    unnamed: Unnamed | None = None
    read_unnamed: dict[str, Unnamed] = field(default_factory=dict)
    """Of containers in which it only reads what no parameter names: harmless where only dependent commands write."""
    touches_nothing_changed: bool = True
    widened_for: str | None = None
    """Another command with which it would have conflicted, had it kept its parameters."""


class Inference(Observed):
    """Gathers what a search observes; `propose` says what is to be declared."""

    def propose(self, novel: Sequence[Trial] = ()) -> tuple[Service, dict[str, Found]]:
        """The service as it should be annotated, and why; `novel` are executions from other states, to be heeded too."""
        changed = _changed_families([*self._states, novel])
        found = {command.name: Found(command) for command in self.service.commands}
        by_command: dict[str, list[Trial]] = defaultdict(list)
        for trials in [*self._states, novel]:
            for trial in trials:
                by_command[trial.call.command].append(trial)
        owners: dict[str, dict[Any, Any]] = defaultdict(dict)
        for command in sorted(
            self.service.commands, key=lambda command: -self._directness(command, by_command[command.name])
        ):
            _infer(found[command.name], by_command[command.name], changed, owners)
        _settle_reads(found)
        proposed = _annotated(self.service, found)
        while True:
            wrong = self._left_unordered(proposed, {name for name, one in found.items() if one.successes})
            if wrong is None:
                return proposed, found
            for name, other in (wrong, wrong[::-1]):
                found[name].widened_for = other
            proposed = _annotated(self.service, found)

    def _directness(self, command: Command, trials: Sequence[Trial]) -> int:
        """Commands whose cells carry a parameter's value come first: they say whose the rows are."""
        names_all = all(
            cell.key in trial.call.arguments
            for trial in trials[:200]
            for cell in trial.outcome.touched
            if cell.kind == VALUE
        )
        return int(names_all and bool(trials))

    def _left_unordered(self, proposed: Service, known: set[str]) -> tuple[str, str] | None:
        """Two known commands with calls that conflict and that the proposal does not order.

        One of them is not dependent on all: two that are would be ordered, or have been seen to write nothing.
        """
        footprint = footprints(proposed)
        for trials in self._states:
            judged = [trial._replace(declared=footprint(trial.call)) for trial in trials if trial.call.command in known]
            for pair in pairs(judged, proposed):
                if pair.conflicts and not pair.ordered:
                    return pair.first.call.command, pair.second.call.command
        return None


def _changed_families(observed: Sequence[Sequence[Trial]]) -> set[tuple[str, str]]:
    """Containers of which some command changes a value, or which keys there are."""
    changed = set()
    for trial in (trial for trials in observed for trial in trials):
        for cell, hows in trial.outcome.touched.items():
            if not _CHANGING.isdisjoint(hows):
                changed.add((cell.container, cell.kind))
            if WOULD in hows:
                changed.add((cell.container, KEYS))
    return changed


def _infer(
    found: Found, trials: Sequence[Trial], changed: set[tuple[str, str]], owners: dict[str, dict[Any, Any]]
) -> None:
    """Fill in what the executions of one command show; `owners` says whose the rows of each container are, as known so far."""
    found.executions = len(trials)
    found.successes = sum(not trial.outcome.raised for trial in trials)
    names = [parameter.name for parameter in found.command.parameters]
    touched: dict[str, list[tuple[Trial, set[Any], set[Any]]]] = defaultdict(list)
    for trial in trials:
        by_container: dict[str, tuple[set[Any], set[Any]]] = defaultdict(lambda: (set(), set()))
        for cell, hows in trial.outcome.touched.items():
            if cell.kind in MEMORY or (cell.container, cell.kind) not in changed:
                continue
            found.touches_nothing_changed = False
            is_change = not _CHANGING.isdisjoint(hows)
            found.writes = found.writes or is_change
            if cell.kind == KEYS:
                _whole_container(found, cell, hows)
                continue
            by_container[cell.container][0].add(cell.key)
            if is_change:
                found.written.add(cell.container)
                by_container[cell.container][1].add(cell.key)
        for container, (every, written) in by_container.items():
            touched[container].append((trial, every, written))
    accesses: dict[str, set[str]] = defaultdict(set)
    containers: dict[str, list[str]] = defaultdict(list)
    computed: set[str] = set()
    for container, executions in touched.items():
        naming = _cover(names, [(trial, every) for trial, every, _ in executions])
        if naming is None:
            declared = [key.parameter for key in found.command.dependencies]
            single = _computing(names, declared, executions, owners[container])
            if single is None:
                example = _unnamed(names, container, executions)
                if example.how == READ:
                    found.read_unnamed[container] = example
                found.unnamed = found.unnamed or (example if example.how == WRITE else None)
                continue
            naming, writing = [single], [single] if any(written for _, _, written in executions) else []
            computed.add(single)
        else:
            writing = _cover(names, [(trial, written) for trial, _, written in executions]) or []
            for _, every, _ in executions:
                owners[container].update({key: key for key in every})
        for name in naming:
            containers[name].append(container)
            accesses[name].add(WRITE if name in writing else READ)
    found.named = [
        Named(name, WRITE if WRITE in accesses[name] else READ, tuple(containers[name]), name in computed)
        for name in names
        if name in containers
    ]


def _whole_container(found: Found, cell: Cell, hows: Any) -> None:
    """Note that the command asks which keys there are, or removes them all; insertions and removals only add to that."""
    for how in (WRITE, READ):
        if how in hows and found.unnamed is None:
            found.unnamed = Unnamed(cell, how, hows[how])


def _cover(names: list[str], executions: list[tuple[Trial, set[Any]]]) -> list[str] | None:
    """The least set of parameters whose values are the keys touched, in every execution; None if there is none."""
    needed: list[str] = []
    while True:
        missing: dict[str, int] = defaultdict(int)
        forced: list[str] = []
        for trial, keys in executions:
            values = dict(zip(names, trial.call.arguments, strict=True))
            for key in keys:
                naming = [name for name in names if _is_key(values[name], key)]
                if not naming:
                    return None
                if not any(name in needed for name in naming):
                    forced += naming if len(naming) == 1 and naming[0] not in forced else []
                    for name in naming:
                        missing[name] += 1
        if not missing:
            return [name for name in names if name in needed]
        needed += forced or [max(missing, key=lambda name: missing[name])]


def _computing(
    names: list[str],
    declared: list[str],
    executions: list[tuple[Trial, set[Any], set[Any]]],
    known: dict[Any, Any],
) -> str | None:
    """The parameter for one value of which alone each key was touched, as far as is known of others too.

    Of one that is not declared as a key, several values have to be seen: with few, everything is consistent.
    """
    for name in sorted(names, key=lambda name: name not in declared):
        place = names.index(name)
        owners = dict(known)
        values = set()
        for trial, keys, _ in executions:
            value = trial.call.arguments[place]
            if isinstance(value, float):
                break
            values.add(value)
            if any(owners.setdefault(key, value) != value for key in keys):
                break
        else:
            if name in declared or (len(values) >= _VALUES_MIN and len(owners) >= _VALUES_MIN):
                known.update(owners)
                return name
    return None


def _unnamed(names: list[str], container: str, executions: list[tuple[Trial, set[Any], set[Any]]]) -> Unnamed:
    """An example of a cell that no parameter's value names; one that is written, if there is one."""
    examples = (
        (Cell(container, VALUE, key), trial.outcome.touched[Cell(container, VALUE, key)])
        for trial, keys, _ in executions
        for key in keys
        if not any(_is_key(value, key) for value in trial.call.arguments)
    )
    only_read = None
    for cell, hows in examples:
        how = next(how for how in (WRITE, WOULD, READ) if how in hows)
        if how != READ:
            return Unnamed(cell, WRITE, hows[how])
        only_read = only_read or Unnamed(cell, READ, hows[how])
    if only_read is None:
        raise AssertionError("a container without such a cell is covered")
    return only_read


def _settle_reads(found: dict[str, Found]) -> None:
    """Reads of cells that no parameter names make a command dependent, unless all that write there are: then any key will do."""
    dependent = {name for name, one in found.items() if one.unnamed is not None or not one.successes}
    is_settled = False
    while not is_settled:
        is_settled = True
        for name, one in found.items():
            if name in dependent or not one.read_unnamed:
                continue
            writers = {other for other, its in found.items() if not its.written.isdisjoint(one.read_unnamed)}
            if not one.named or not writers <= dependent:
                one.unnamed = next(iter(one.read_unnamed.values()))
                dependent.add(name)
                is_settled = False
    for one in found.values():
        one.named = [named for named in one.named if not _is_needless(named, found, dependent)] or one.named[:1]


def _is_needless(named: Named, found: dict[str, Found], dependent: set[str]) -> bool:
    """Whether a key only names cells that it reads and dependent commands write: another key orders it with them as well."""
    writers = {other for other, its in found.items() if not its.written.isdisjoint(named.containers)}
    return named.access == READ and writers <= dependent


def _is_key(value: Any, key: Any) -> bool:
    return isinstance(value, bytes) == isinstance(key, bytes) and not isinstance(value, float) and bool(value == key)


def _annotated(service: Service, found: dict[str, Found]) -> Service:
    """The service with what was found in place of what is declared; a command that never succeeded keeps its declaration."""
    domains = _domains(found)
    return replace(service, commands=tuple(_command(found[command.name], domains) for command in service.commands))


def _command(found: Found, domains: dict[tuple[str, str], str]) -> Command:
    command = found.command
    if not found.successes:
        return command
    if found.touches_nothing_changed and found.widened_for is None:
        return replace(command, kind="independent", access="none", dependencies=())
    if found.unnamed is not None or found.widened_for is not None:
        return replace(command, kind="dependent", access="write" if found.writes else "read", dependencies=())
    keys = tuple(
        Dependency(
            named.parameter, domains[command.name, named.parameter], "write" if named.access == WRITE else "read"
        )
        for named in found.named
    )
    return replace(command, kind="partial", access="write" if found.writes else "read", dependencies=keys)


def _domains(found: dict[str, Found]) -> dict[tuple[str, str], str]:
    """A domain for each parameter that names cells: one for all whose cells lie in the same containers."""
    parents: dict[Any, Any] = {}

    def root(node: Any) -> Any:
        parents.setdefault(node, node)
        while parents[node] != node:
            node = parents[node]
        return node

    nodes = [(name, named.parameter) for name, one in found.items() for named in one.named]
    for name, one in found.items():
        for named in one.named:
            for container in named.containers:
                parents[root((name, named.parameter))] = root(container)
    groups: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    for node in nodes:
        groups[root(node)].append(node)
    taken: set[str] = set()
    result = {}
    for members in groups.values():
        domain = _domain_name(found, members, taken)
        taken.add(domain)
        result.update(dict.fromkeys(members, domain))
    return result


def _domain_name(found: dict[str, Found], members: list[tuple[str, str]], taken: set[str]) -> str:
    """What most of the members call it already, or are called."""
    votes: dict[str, float] = defaultdict(float)
    for name, parameter in members:
        for key in found[name].command.dependencies:
            if key.parameter == parameter:
                votes[key.domain] += 1
        votes[parameter] += 0.1
    ranked = sorted(votes, key=lambda word: (-votes[word], word))
    free = [word for word in ranked if word not in taken]
    return free[0] if free else f"{ranked[0]}_{len(taken)}"
