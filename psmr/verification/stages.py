"""Services with early stages: which stages of two calls nothing orders, and where those touch one another's cells.

What is judged is the contract of `cdep.staging`, for two calls of which `first` stands before `second` in the log:

    EARLY     both early stages: ordered by their own keys alone
    MAIN      both main stages: ordered by the keys of the handlers alone
    PASSING   the second's early stage may run before the first's main stage, whatever their keys, or beside it; only a first that
              is decided as a whole is not passed by an early stage that shares a key with it

In PASSING neither may write what the other writes, and a main stage may read nothing that early stages write. That early stages
read what main stages write is what stages are for: whether they answer the same all the same is seen by executing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from cdep import Command, Dependency, Service
from cdep.groups import group_of
from cdep.relation import key_of
from psmr.verification.cells import ADD, GROUP, KEYS, MEMORY, READ, VALUE, WORD, WRITE, Cell, Touched
from psmr.verification.declared import Footprint, ordered
from psmr.verification.examining import Clash, Trial
from psmr.verification.machine import Call, Stages

Kind = Literal["early", "main", "passing"]
EARLY: Kind = "early"
MAIN: Kind = "main"
PASSING: Kind = "passing"

_NOTHING: frozenset[tuple[str, int | bytes]] = frozenset()
_NONE = Footprint(_NOTHING, _NOTHING)


class StagePrint(NamedTuple):
    """What a call says that its stages touch; None for a stage that it has not. Of one decided as a whole: by which keys no early
    stage passes it, and everything."""

    early: Footprint | None
    main: Footprint | None
    is_exact: bool


class StagePair(NamedTuple):
    """Stages of two trials; whether a declaration orders them, whether their cells conflict, and whether executing has to tell."""

    first: Trial
    second: Trial
    kind: Kind
    ordered: bool
    conflicts: bool
    must_execute: bool


def stage_prints(service: Service) -> Callable[[Call], StagePrint]:
    """A function from a call to what its stages are ordered by."""
    plans = {command.name: _plan(service, command) for command in service.commands}

    def stage_print(call: Call) -> StagePrint:
        command = service.command(call.command)
        early_keys, main_keys = plans[call.command]
        if command.kind == "dependent":
            whole = Footprint(_NOTHING, None)
            return StagePrint(whole, whole, is_exact=True)
        is_exact = command.stage == "exact"
        has_early = command.early is not None or command.stage == "early" or is_exact
        return StagePrint(
            _footprint(command, early_keys, call) if has_early else None,
            None if command.stage == "early" else _footprint(command, main_keys, call),
            is_exact,
        )

    return stage_print


def _plan(service: Service, command: Command) -> tuple[list[Dependency], list[Dependency]]:
    early = [key for key in command.touched if key.domain in service.early_domains]
    return early, [key for key in command.touched if key.domain not in service.early_domains]


def _footprint(command: Command, keys: Sequence[Dependency], call: Call) -> Footprint:
    if not keys:
        return _NONE
    values = dict(zip((parameter.name for parameter in command.parameters), call.arguments, strict=True))
    touched = [
        (key.access, (key.domain, key_of(command.parameter(key.parameter).type, values[key.parameter]))) for key in keys
    ]
    reads = frozenset(variable for access, variable in touched if access == "read")
    return Footprint(reads, frozenset(variable for access, variable in touched if access == "write"))


def are_ordered(kind: Kind, first: StagePrint, second: StagePrint) -> bool:
    """Whether declarations order these stages of two calls, or one of the calls has none of them."""
    if kind == EARLY:
        if first.early is None or second.early is None or first.is_exact or second.is_exact:
            return True  # one that is decided as a whole is judged by what may pass it
        return ordered(first.early, second.early)
    if kind == MAIN:
        if first.main is None or second.main is None or first.is_exact or second.is_exact:
            return True
        return ordered(first.main, second.main)
    if first.main is None or second.early is None or second.is_exact:
        return True
    return first.is_exact and first.early is not None and _share_a_key(first.early, second.early)


def _share_a_key(one: Footprint, other: Footprint) -> bool:
    """Reads too: an early stage waits at a row that its worker owns a key of, whatever the two do with it."""
    if one.writes is None or other.writes is None or one.reads is None or other.reads is None:
        return True
    return not (one.reads | one.writes).isdisjoint(other.reads | other.writes)


def stage_pairs(trials: Sequence[Trial], stage_print: Callable[[Call], StagePrint]) -> Iterator[StagePair]:
    """Every kind of every two trials, each with itself included; PASSING either way round."""
    prints = [stage_print(trial.call) for trial in trials]
    for place, one in enumerate(trials):
        for other_place in range(place, len(trials)):
            other, declared = trials[other_place], (prints[place], prints[other_place])
            for kind in (EARLY, MAIN):
                yield from _judged(kind, one, other, declared)
            yield from _judged(PASSING, one, other, declared)
            if other_place != place:
                yield from _judged(PASSING, other, one, declared[::-1])


def _judged(kind: Kind, first: Trial, second: Trial, declared: tuple[StagePrint, StagePrint]) -> Iterator[StagePair]:
    touched = touched_by(kind, first.outcome.stages, second.outcome.stages)
    if touched is None:
        return
    is_ordered = are_ordered(kind, *declared)
    if is_ordered and kind == PASSING:
        return
    one, other = touched
    conflicts = next(clashing(kind, one, other, may_be_at_once=_may_be_at_once(kind, *declared)), None) is not None
    depends = kind == PASSING and not conflicts and next(_depends(one, other), None) is not None
    yield StagePair(first, second, kind, is_ordered, conflicts, depends)


def touched_by(kind: Kind, first: Stages | None, second: Stages | None) -> tuple[Touched, Touched] | None:
    """What the stages in question have touched; None where one of the calls did not come to its stage."""
    if first is None or second is None:
        return None
    one = first.early if kind == EARLY else first.main
    other = second.main if kind == MAIN else second.early
    return None if one is None or other is None else (one.touched, other.touched)


def clash_of_stages(
    kind: Kind, calls: tuple[Call, Call], stages: tuple[Stages | None, Stages | None], declared: tuple[StagePrint, ...]
) -> Clash | None:
    """Where the stages of two calls clash whatever is answered; of PASSING else a cell that the early one reads and the main one
    writes; None if there is neither."""
    touched = touched_by(kind, *stages)
    if touched is None:
        return None
    one, other = touched
    found = sorted(
        clashing(kind, one, other, may_be_at_once=_may_be_at_once(kind, declared[0], declared[1])),
        key=lambda clash: (clash[0].kind in MEMORY, clash[0].kind, repr(clash[0])),
    ) or list(_depends(one, other) if kind == PASSING else ())
    for cell, how in found:
        return Clash(*calls, cell, how, (one[cell][how[0]], other[cell][how[1]]))
    return None


def clashing(
    kind: Kind, one: Touched, other: Touched, *, may_be_at_once: bool
) -> Iterator[tuple[Cell, tuple[str, str]]]:
    """The cells in which two stages must not meet, and how they do."""
    for cell, hows in one.items() if len(one) <= len(other) else [(cell, one[cell]) for cell in other if cell in one]:
        others = other.get(cell)
        if others is None or (cell.kind in MEMORY and not may_be_at_once):
            continue
        for how in (WRITE, ADD, READ):
            for other_how in (WRITE, ADD, READ):
                if how in hows and other_how in others and _must_not_meet(kind, cell, how, other_how):
                    yield cell, (how, other_how)


def _must_not_meet(kind: Kind, cell: Cell, how: str, other_how: str) -> bool:
    if how == other_how:
        return how == WRITE
    if kind != PASSING or cell.kind in (GROUP, WORD, KEYS):
        return WRITE in (how, other_how) or {how, other_how} == {ADD, READ}
    return not (how == WRITE and other_how == READ)  # a value: to be told by executing


def _depends(main: Touched, early: Touched) -> Iterator[tuple[Cell, tuple[str, str]]]:
    """Values that the main stage writes and the early one reads."""
    for cell, hows in main.items():
        if cell.kind == VALUE and WRITE in hows and READ in early.get(cell, ()):
            yield cell, (WRITE, READ)


def _may_be_at_once(kind: Kind, first: StagePrint, second: StagePrint) -> bool:
    """Whether two workers may execute the stages at once. Stages of different kinds have owners that nothing ties together."""
    if kind == PASSING:
        return True
    one, other = (first.early, second.early) if kind == EARLY else (first.main, second.main)
    return one is None or other is None or _groups(one).isdisjoint(_groups(other))


def _groups(footprint: Footprint) -> set[int]:
    variables = (footprint.reads or _NOTHING) | (footprint.writes or _NOTHING)
    return {group_of(key) for _, key in variables}
