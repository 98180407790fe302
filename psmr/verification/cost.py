"""What declarations cost on a workload: the share of pairs that they order, and the longest chain of calls, each waiting for one.

However many workers there are, calls ÷ longest chain is the greatest speed-up (`cdep.critical_path`, which has it by what each
call costs; here each costs the same). Both are told as declared, and without the orders that nothing found needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cdep import Service
from psmr.verification.declared import Footprint, footprints, ordered
from psmr.verification.machine import Call
from psmr.verification.stages import stage_prints

_WINDOW = 64

Names = tuple[str, str]
Parts = Sequence[Footprint]
"""What the parts of a call touch, each to be executed after the one before it: its stages, or the one that it has."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of calls that stand close to each other in a workload: how many pairs C-Dep orders, and how many of these for no reason.

    `ordered` and `needless` are shares of all pairs; `dependent` is the share of calls that every worker has to wait for.
    `longest` and `longest_needed`: calls on the longest chain, as declared and without what is needless; a stage is half a call.
    """

    calls: int
    is_workload: bool
    ordered: float
    needless: float
    dependent: float
    longest: float
    longest_needed: float

    @property
    def speed_up_max(self) -> float:
        """What no number of workers can exceed, as declared."""
        return self.calls / self.longest if self.longest else 1.0

    @property
    def speed_up_max_needed(self) -> float:
        """The same without what is ordered for no reason."""
        return self.calls / self.longest_needed if self.longest_needed else 1.0


def cost_of(
    service: Service, needed: Service, calls: Sequence[Call], never: Collection[Names], *, is_workload: bool
) -> Cost:
    """The cost of a service's declarations on calls; `needed`: declared as traces propose; `never`: commands ordered, the lower op
    first, that were never seen to conflict."""
    said, wanted = parts_of(service, calls), parts_of(needed, calls)
    ranked = {(first, second) for first, second in never} | {(second, first) for first, second in never}
    pairs = in_order = needless = 0
    for place, call in enumerate(calls):
        for before in range(max(0, place - _WINDOW), place):
            pairs += 1
            if _are_ordered(said[before], said[place]):
                in_order += 1
                needless += (calls[before].command, call.command) in ranked or not _are_ordered(
                    wanted[before], wanted[place]
                )
    everywhere = sum(service.command(call.command).kind == "dependent" for call in calls)
    names = [call.command for call in calls]
    return Cost(
        len(calls),
        is_workload,
        in_order / max(1, pairs),
        needless / max(1, pairs),
        everywhere / max(1, len(calls)),
        longest_chain(names, said, frozenset()),
        longest_chain(names, wanted, frozenset(ranked)),
    )


def parts_of(service: Service, calls: Sequence[Call]) -> list[Parts]:
    """What the parts of each call are declared to touch; one that is decided as a whole touches everything."""
    if not service.is_staged:
        footprint = footprints(service)
        return [(footprint(call),) for call in calls]
    stage_print = stage_prints(service)
    whole = Footprint(frozenset(), None)
    found: list[Parts] = []
    for call in calls:
        stages = stage_print(call)
        found.append(
            (whole,) if stages.is_exact else [part for part in (stages.early, stages.main) if part is not None]
        )
    return found


def _are_ordered(one: Parts, other: Parts) -> bool:
    return any(ordered(first, second) for first in one for second in other)


@dataclass(slots=True)
class _Ends:
    """Of a variable: where the longest chain so far ends, by the command that touched it last, in writes and in all."""

    written: dict[str, float]
    touched: dict[str, float]


def longest_chain(names: Sequence[str], parts: Sequence[Parts], apart: Collection[Names]) -> float:
    """The longest chain of calls, each waiting for the one before it; commands that are `apart` wait for none of each other's."""
    by_variable: dict[tuple[str, int | bytes], _Ends] = {}
    whole, everything = _Ends({}, {}), _Ends({}, {})
    longest = 0.0
    for name, own in zip(names, parts, strict=True):
        end = 0.0
        for part in own:
            waits_for = list(_waits_for(part, by_variable, whole, everything))
            start = max(
                (at for ends in waits_for for other, at in ends.items() if (other, name) not in apart), default=0.0
            )
            end = max(end, start) + 1 / len(own)
            _note(part, name, end, by_variable, whole, everything)
        longest = max(longest, end)
    return longest


def _waits_for(
    part: Footprint, by_variable: dict[tuple[str, int | bytes], _Ends], whole: _Ends, everything: _Ends
) -> Iterable[dict[str, float]]:
    if part.writes is None:
        yield everything.touched
        return
    if part.reads is None:
        yield everything.written
    for variable in part.writes:
        if variable in by_variable:
            yield by_variable[variable].touched
    for variable in part.reads or ():
        if variable in by_variable:
            yield by_variable[variable].written
    if part.writes:
        yield whole.touched
    elif part.reads:
        yield whole.written


def _note(
    part: Footprint,
    name: str,
    end: float,
    by_variable: dict[tuple[str, int | bytes], _Ends],
    whole: _Ends,
    everything: _Ends,
) -> None:
    is_written = part.writes is None or bool(part.writes)
    if not is_written and part.reads is not None and not part.reads:
        return
    places = [everything, *([whole] if part.writes is None or part.reads is None else [])]
    for variable in part.writes or ():
        places.append(by_variable.setdefault(variable, _Ends({}, {})))
    for ends in places:
        if is_written:
            ends.written[name] = max(end, ends.written.get(name, 0.0))
        ends.touched[name] = max(end, ends.touched.get(name, 0.0))
    for variable in part.reads or ():
        ends = by_variable.setdefault(variable, _Ends({}, {}))
        ends.touched[name] = max(end, ends.touched.get(name, 0.0))
