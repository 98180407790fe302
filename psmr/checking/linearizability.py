"""Is a history linearizable? Herlihy, Wing, *Linearizability*, TOPLAS 1990."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress

from psmr.checking.history import Operation
from psmr.checking.model import Model
from psmr.checking.search import Effort, Search
from psmr.checking.segments import segments
from psmr.checking.splitting import split, whole
from psmr.checking.verdict import Counterexample, Unplaceable, Verdict

TICKS_BETWEEN_LOOKS = 1024


def check(
    operations: Iterable[Operation],
    model: Model,
    *,
    timeout_s: float = 60.0,
    session_order: bool = False,
    partition: bool = True,
    clock_s: Callable[[], float] = time.monotonic,
) -> Verdict:
    """Whether some order of `operations` respects real time and gives every reply that was seen.

    One operation comes before another if it returned before the other was called; equal times say nothing. One of
    unknown outcome may be executed at any time after its call, or never.

    `session_order`: a process is a session, and what it sent takes effect in the order of `operations`, also where
    it had several under way. One of unknown outcome then takes effect before the process's next ones, or never.

    `partition`: check key by key, as `Model.key` has it. Without sessions' order and commands of all keys this decides
    the whole. With them it is necessary, not sufficient: that a session's order across keys, or the place of a clear,
    is the same for all keys, only `partition=False` can say, which is for short histories. Commands without a key that
    read are left out, and counted in the verdict.

    The verdict is None when `timeout_s` passed before it was clear and no key was found that refutes it.
    Raises ValueError for an operation that returned before it was called, and for a process that was not listed in
    the order of its calls where sessions' order is asked for.
    """
    operations = list(operations)
    _refuse_impossible(operations, session_order=session_order)
    parts, left_out, replies_unchecked = split(operations, model) if partition else whole(operations)
    refutation = _Refutation(parts, model)
    with suppress(_OutOfTime):
        refutation.run(session_order, _Deadline(clock_s, timeout_s))
    decided = refutation.counterexample is not None or not refutation.open_parts
    return Verdict(
        linearizable=refutation.counterexample is None if decided else None,
        operations=len(operations),
        parts=len(parts),
        parts_unfinished=0 if decided else len(refutation.open_parts),
        left_out=left_out,
        replies_unchecked=replies_unchecked,
        counterexample=refutation.counterexample,
        suspicion=None if decided else refutation.suspicion,
    )


class _Refutation:
    """The attempt to refute a history, part by part; what it holds is right at any moment, also when it is stopped."""

    def __init__(self, parts: dict[Hashable, list[Operation]], model: Model) -> None:
        # The short ones first: what they can refute should not wait until a long one has run out of time.
        self.open_parts = dict(sorted(parts.items(), key=lambda item: len(item[1])))
        self.counterexample: Counterexample | None = None
        self.suspicion: Counterexample | None = None
        self._model = model

    def run(self, session_order: bool, deadline: _Deadline) -> None:
        """Search with little effort first, and then again where that has not decided.

        An order that keeps sessions' order and batches whole is one for either question; that there is none of that
        kind raises a suspicion.
        """
        narrow = Effort(by_session=True, whole_batches=True, steps_max=128)
        wide = Effort(by_session=session_order, whole_batches=False, steps_max=64)
        for effort in (narrow, wide, wide._replace(steps_max=None)):
            for key, part in list(self.open_parts.items()):
                deadline.tick()
                search = Search(segments(part), self._model, effort, deadline.tick)
                found = search.run()
                if found is False:
                    against = _counterexample(key, len(part), search)
                    if effort is not narrow or (session_order and search.tried_all):
                        self.counterexample = against
                        return
                    self.suspicion = self.suspicion or against
                elif found:
                    del self.open_parts[key]


def _counterexample(key: Hashable | None, operations: int, search: Search) -> Counterexample:
    dead_end = search.dead_end
    assert dead_end is not None, "a search that found no order was stuck somewhere"
    return Counterexample(
        key=key,
        operations=operations,
        prefix=tuple(search.prefix(dead_end)),
        state=dead_end.state,
        unplaceable=tuple(Unplaceable(operation, reply) for operation, reply in search.heads(dead_end)),
    )


def _refuse_impossible(operations: list[Operation], *, session_order: bool) -> None:
    last: dict[Hashable, int] = {}
    for operation in operations:
        process, called, returned = operation[:3]
        if returned is not None and returned < called:
            raise ValueError(f"expected a return after the call, found {operation.text()}: use one clock for both")
        if session_order:
            if called < last.get(process, called):
                raise ValueError(
                    f"expected the operations of a process in the order of their calls, found {operation.text()} "
                    f"after one called at {last[process]}: list each process's operations as it called them"
                )
            last[process] = called


class _OutOfTime(Exception):
    pass


class _Deadline:
    """Looks at the clock now and then, and raises when the time has passed; from then on at once."""

    def __init__(self, clock_s: Callable[[], float], timeout_s: float) -> None:
        self._clock_s = clock_s
        self._end_s = clock_s() + timeout_s
        self._ticks = 0

    def tick(self) -> None:
        self._ticks -= 1
        if self._ticks <= 0:
            if self._clock_s() >= self._end_s:
                raise _OutOfTime
            self._ticks = TICKS_BETWEEN_LOOKS
