"""Is a history linearizable? Herlihy, Wing, *Linearizability*, TOPLAS 1990."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import closing, suppress

from psmr.checking.chains import are_sequential
from psmr.checking.foresight import without_foresight
from psmr.checking.history import Operation
from psmr.checking.model import Model
from psmr.checking.parallel import Found, OutOfTime, Task, search_apart
from psmr.checking.search import DeadEnd, Effort, Search
from psmr.checking.splitting import split, whole
from psmr.checking.verdict import Counterexample, Unplaceable, Verdict

_EXPLAIN_STEPS = 16


def check(
    operations: Iterable[Operation],
    model: Model,
    *,
    timeout_s: float = 60.0,
    session_order: bool = False,
    partition: bool = True,
    jobs: int = 1,
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

    `jobs`: in how many processes keys are searched that are not decided by a first look. It changes no verdict that is reached
    in time, nor the counterexample.

    The verdict is None when `timeout_s` passed before it was clear and no key was found that refutes it.
    Raises ValueError for an operation that returned before it was called, and for a process that was not listed in
    the order of its calls where sessions' order is asked for.
    """
    operations = list(operations)
    _refuse_impossible(operations, session_order=session_order)
    parts, left_out, replies_unchecked = split(operations, model) if partition else whole(operations)
    refutation = _Refutation(parts, model)
    with suppress(OutOfTime):
        refutation.run(session_order, _Deadline(clock_s, timeout_s), jobs)
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
        self._session_order = False

    def run(self, session_order: bool, deadline: _Deadline, jobs: int) -> None:
        """Search with little effort first, and then again where that has not decided.

        An order that keeps sessions' order and batches whole is one for either question; that there is none of that
        kind raises a suspicion.
        """
        self._session_order = session_order
        narrow = Effort(by_session=True, whole_batches=True, steps_max=128)
        wide = Effort(by_session=session_order, whole_batches=False, steps_max=64)
        for effort in (narrow, wide):
            for key, part in list(self.open_parts.items()):
                deadline.tick()
                if effort is narrow and are_sequential(part):
                    continue  # time alone keeps sessions' order
                search = Search(part, self._model, effort, deadline.tick)
                found = search.run()
                if found is False:
                    is_proof = effort is wide or (session_order and search.tried_all)
                    if self._refute(key, search.dead_end(), is_proof=is_proof):
                        return
                elif found:
                    del self.open_parts[key]
        self._finish(
            Task(list(self.open_parts.values()), self._model, wide._replace(steps_max=None), deadline.tick), jobs
        )

    def _furthest(self, part: list[Operation]) -> DeadEnd:
        """How far an order of a part that has none can come. Foresight ends a search where that is clear, which is earlier."""
        effort = Effort(by_session=self._session_order, whole_batches=False, steps_max=_EXPLAIN_STEPS)
        search = Search(part, without_foresight(self._model), effort, lambda: None)
        search.run()
        return search.dead_end()

    def _finish(self, task: Task, jobs: int) -> None:
        """Search the parts still open, however long it takes."""
        if jobs > 1 and len(task.parts) > 1:
            results = search_apart(task, jobs)
        else:
            results = (_found(Search(part, task.model, task.effort, task.tick)) for part in task.parts)
        with closing(results):
            for key, (found, dead_end) in zip(list(self.open_parts), results, strict=True):
                if dead_end:
                    self._refute(key, dead_end, is_proof=True)
                    return
                if found:
                    del self.open_parts[key]

    def _refute(self, key: Hashable | None, dead_end: DeadEnd, *, is_proof: bool) -> bool:
        against = _counterexample(key, len(self.open_parts[key]), dead_end, self._model)
        if is_proof:
            longer = self._furthest(self.open_parts[key])
            if len(longer.prefix) > len(dead_end.prefix):
                against = _counterexample(key, len(self.open_parts[key]), longer, self._model)
            self.counterexample = against
        else:
            self.suspicion = self.suspicion or against
        return is_proof


def _found(search: Search) -> Found:
    found = search.run()
    return found, search.dead_end() if found is False else None


def _counterexample(key: Hashable | None, operations: int, dead_end: DeadEnd, model: Model) -> Counterexample:
    state = model.initial
    for operation in dead_end.prefix:
        state = model.step(state, operation.command, operation.arguments)[0]
    return Counterexample(
        key=key,
        operations=operations,
        prefix=tuple(dead_end.prefix),
        state=state,
        unplaceable=tuple(
            Unplaceable(head, model.step(state, head.command, head.arguments)[1]) for head in dead_end.heads
        ),
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


class _Deadline:
    """Looks at the clock, and raises when the time has passed."""

    def __init__(self, clock_s: Callable[[], float], timeout_s: float) -> None:
        self._clock_s = clock_s
        self._end_s = clock_s() + timeout_s

    def tick(self) -> None:
        if self._clock_s() >= self._end_s:
            raise OutOfTime
