"""Running mutants through a target's decoder; stopping at the first failure, made small."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from psmr.fuzzing.mutation import mutant
from psmr.fuzzing.target import Target

BLOCK_CASES = 2_000
BLOCK_S_MAX = 60
"""A block that takes more processor time hangs: it takes a fraction of a second."""
_ATTEMPTS = 2_000
WRONG = "wrong acceptance"


class Hang(Exception):
    """A block of cases did not end in its time."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that was neither refused as documented nor rightly accepted.

    `kind` is the name of the error raised, `Hang` or `WRONG`; `minimised` fails in the same way as `data`.
    """

    target: str
    seed: int
    case: int
    kind: str
    text: str
    data: bytes
    minimised: bytes

    def replay_command(self) -> str:
        """The command that runs this case again."""
        return f"psmr fuzz {self.target} --seed {self.seed} --case {self.case}"


@dataclass(slots=True)
class Result:
    """What became of a target's cases."""

    target: str
    accepted: int = 0
    refused: int = 0
    failure: Failure | None = None

    @property
    def cases(self) -> int:
        """How many were decoded; the failing one is not among them."""
        return self.accepted + self.refused


def run(target: Target, seed: int, cases: int, progress: Callable[[Result], None] | None = None) -> Result:
    """Cases 0 to `cases - 1` of a seed, up to the first that fails; `progress` is told after each block."""
    result = Result(target.name)
    for first in range(0, cases, BLOCK_CASES):
        _run_block(target, seed, first, min(cases, first + BLOCK_CASES), result)
        if result.failure is not None:
            break
        if progress is not None:
            progress(result)
    return result


def replay(target: Target, seed: int, case: int) -> tuple[bytes, Result]:
    """One case alone: its input and what became of it."""
    result = Result(target.name)
    _run_block(target, seed, case, case + 1, result)
    return mutant(target, seed, case), result


def _run_block(target: Target, seed: int, first: int, last: int, result: Result) -> None:
    decode, wrong, refusals = target.decode, target.wrong, target.refusals
    case, data = first, b""
    try:
        with _ending_within(BLOCK_S_MAX):
            for case in range(first, last):
                data = mutant(target, seed, case)
                try:
                    value = decode(data)
                except refusals:
                    result.refused += 1
                    continue
                fault = wrong(data, value)
                if fault is not None:
                    break
                result.accepted += 1
            else:
                return
    except Exception as error:  # noqa: BLE001 - whatever else a decoder raises is what is looked for here
        kind, text = type(error).__name__, str(error) or repr(error)
    else:
        kind, text = WRONG, fault
    small = data if kind == Hang.__name__ else minimise(data, lambda attempt: _kind_of(target, attempt) == kind)
    result.failure = Failure(target.name, seed, case, kind, text, data, small)


def _kind_of(target: Target, data: bytes) -> str | None:
    """How an input fails; None if it does not."""
    try:
        value = target.decode(data)
        return WRONG if target.wrong(data, value) is not None else None
    except target.refusals:
        return None
    except Exception as error:  # noqa: BLE001 - as above
        return type(error).__name__


def minimise(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """A shorter input, with more zeros, that still `fails`: pieces are left out, each half as long as those before it."""
    attempts = 0
    size = len(data) // 2
    while size and attempts < _ATTEMPTS:
        start = 0
        while start < len(data) and attempts < _ATTEMPTS:
            attempts += 1
            shorter = data[:start] + data[start + size :]
            if fails(shorter):
                data = shorter
            else:
                start += size
        size //= 2
    for place in range(min(len(data), _ATTEMPTS - attempts)):
        zeroed = data[:place] + b"\0" + data[place + 1 :]
        if data[place] and fails(zeroed):
            data = zeroed
    return data


@contextmanager
def _ending_within(seconds: float) -> Iterator[None]:
    """Raises Hang in what takes longer, as soon as it is back in the interpreter.

    Of processor time: on a machine that others keep busy a block may take any time by the clock.
    """

    def raise_hang(number: int, frame: FrameType | None) -> None:
        raise Hang(f"no end after {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, raise_hang)
    other_s, _ = signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        # Whoever had set a timer before has it back.
        signal.setitimer(signal.ITIMER_PROF, other_s)
