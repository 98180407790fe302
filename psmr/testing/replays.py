"""`assert_replay_identical`: one log executed in every way in which a replica may execute it, with equal results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from random import Random

from cdep import StateMachine
from psmr.errors import ConfigurationError
from psmr.testing.asked import several, whole
from psmr.testing.calls import Calls, Written
from psmr.testing.effects import Witness, states_told, told
from psmr.testing.engines import SLOTS, RealWorkers, SimulatedWorkers
from psmr.testing.plain import told_plainly
from psmr.testing.session import session
from psmr.verification.machine import FIRST_STAMP_US, Call, TracedMachine
from psmr.verification.orders import call_text
from psmr.workload import Application

FORMS = ("simulated", "interpreted", "compiled")
_DRAWS = 3
"""How often the order of simulated workers is drawn for each number of them."""
_SECOND_US = 1_000_000


@told_plainly
def assert_replay_identical(
    service: type[StateMachine] | Application,
    calls: Iterable[Written] | int,
    *,
    workers: Sequence[int] = (1, 2, 3),
    forms: Sequence[str] = FORMS,
    batch: int = 16,
    seed: int | None = None,
) -> None:
    """The calls, as one log, have equal replies, events and states however many workers execute them.

    `calls`: a list, a history, or how many to make up. `forms`: "simulated" (handlers interpreted in orders that workers may take,
    drawn from `seed`; a service with early stages has none), "interpreted" and "compiled" (the engine's own workers, as processes
    that end with this call). Batches of `batch` calls are a second apart.

    Raises AssertionError with the first command that differs, how, and why as far as that can be found. Raises InvalidCall
    and ConfigurationError for what is no service or no call of it.
    """
    known = Calls(service)
    chosen = session().seed_for(seed)
    workers = [whole("workers", count, 1, 16) for count in several("numbers of workers", workers)]
    forms = several(f"forms among {', '.join(FORMS)}", forms)
    batch = whole("calls of a batch", batch, 1)
    if not workers or not forms or any(form not in FORMS for form in forms):
        raise ConfigurationError(
            f"expected forms among {', '.join(FORMS)} and numbers of workers, found {forms} and {workers}: name one at least"
        )
    log = known.wanted(calls, Random(f"{chosen}/calls"))
    batches = [
        [call._replace(now_us=FIRST_STAMP_US + number * _SECOND_US) for call in log[start : start + batch]]
        for number, start in enumerate(range(0, len(log), batch))
    ]
    if "simulated" in forms and not known.service.is_staged:
        _simulate(known, batches, workers, chosen)
    _execute(known, batches, [(form, count) for form in forms if form != "simulated" for count in workers])


def _where(form: str, workers: int) -> str:
    return f"{workers} {form} worker{'' if workers == 1 else 's'}"


def _simulate(known: Calls, batches: Sequence[Sequence[Call]], workers: Sequence[int], seed: int) -> None:
    witness = Witness()
    for count in workers:
        for draw in range(1 if count == 1 else _DRAWS):
            where = _where("simulated", count) + (f" (order {draw + 1})" if count > 1 else "")
            engine = SimulatedWorkers(known.owner, count, Random(f"{seed}/{count}/{draw}"), witness, where)
            for start in range(0, len(batches), SLOTS):
                _hand_over(known, engine, batches[start : start + SLOTS], start)
            _complain(known, witness, seed)
    if len(workers) == 1 and workers[0] == 1:
        _again(known, batches, witness, seed)


def _again(known: Calls, batches: Sequence[Sequence[Call]], witness: Witness, seed: int) -> None:
    """One worker alone has nothing to be compared with but itself."""
    engine = SimulatedWorkers(known.owner, 1, Random(seed), witness, "1 simulated worker, again")
    for start in range(0, len(batches), SLOTS):
        _hand_over(known, engine, batches[start : start + SLOTS], start)
    _complain(known, witness, seed)


def _execute(known: Calls, batches: Sequence[Sequence[Call]], ways: Sequence[tuple[str, int]]) -> None:
    """Side by side, batch by batch, so that the first difference is seen where it arises."""
    witness = Witness()
    with ExitStack() as stack:
        engines: dict[str, RealWorkers] = {}
        for form, count in ways:
            where = _where(form, count)
            engines[where] = RealWorkers(known.owner, count, witness, where, compiled=form == "compiled")
            stack.callback(engines[where].close)
        for number, calls in enumerate(batches):
            for engine in engines.values():
                _hand_over(known, engine, [calls], number)
            _complain(known, witness, None)
            digests = {where: engine.digest() for where, engine in engines.items()}
            if len(set(digests.values())) > 1:
                raise AssertionError(_states_text(known, engines, digests, batches, number))


def _hand_over(
    known: Calls, engine: SimulatedWorkers | RealWorkers, batches: Sequence[Sequence[Call]], before: int
) -> None:
    for sequence, calls in enumerate(batches, before + 1):
        rows = known.encoded(calls)
        engine.prepare(1, sequence, rows.stride, rows.count, rows.records, rows.blob, calls[0].now_us)
    engine.publish()
    engine.execute(len(batches))
    engine.collect()


def _complain(known: Calls, witness: Witness, seed: int | None) -> None:
    if witness.difference is not None:
        lines = told(known.owner, witness.calls, witness.difference)
        raise AssertionError("\n".join([*lines, *([] if seed is None else [f"seed {seed}"])]))


def _states_text(
    known: Calls,
    engines: dict[str, RealWorkers],
    digests: dict[str, int],
    batches: Sequence[Sequence[Call]],
    number: int,
) -> str:
    """Two ways came to different states in a batch, though no reply or event shows it."""
    one, *others = digests
    other = next(where for where in others if digests[where] != digests[one])
    first = sum(map(len, batches[:number])) + 1
    last = first + len(batches[number]) - 1
    states = {where: engines[where].state() for where in (one, other)}
    lines, cells = states_told(known.owner, states, f"executed one log, now commands {first} to {last} of it")
    places = {(cell.container, cell.key) for cell in cells}
    if known.service.is_staged:
        return "\n".join(lines)
    machine = TracedMachine(known.owner)
    for place, call in enumerate((call for calls in batches[: number + 1] for call in calls), 1):
        written = machine.written(machine.call(call).touched)
        if place >= first and any((cell.container, cell.key) in places for cell in written):
            lines.append(f"  command {place}, {call_text(call)}, writes there")
    return "\n".join(lines)
