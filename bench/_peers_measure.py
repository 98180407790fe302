"""How each system is measured: what it says of itself, its runs, and whether it remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from bench._measurement import Spread, percentile

COLUMNS = "columns"
ONE_A_CALL = "one a call"
MEASURED, NOT_INSTALLED, FAILED = "measured", "not installed", "failed"


class NotInstalled(Exception):
    """A program or package that is not there: `args[0]` says how to get it."""


class PeerFailed(Exception):
    """A system that did not start, answered with an error, or stopped answering."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a system, set up in one way, doing the work in one way."""

    system: str
    work: str
    on_disk: str
    """What it says of disks: is a write on one before its answer?"""
    client: str
    setup: str
    like: str
    """Which of this engine's rows does the same: COLUMNS or ONE_A_CALL."""
    durable: bool
    """Whether this engine's row to compare with is the durable one."""
    short: str
    """For a plot's legend."""
    in_quick: bool = False
    """Whether a shortened benchmark has it."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did."""

    commands: int
    seconds: float
    latencies_us: list[float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one entry in one round; a measured one has a run, and a `complaint` if what was read back is wrong."""

    state: str
    version: str = ""
    run: Run | None = None
    complaint: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    seconds: float
    warm_up_s: float
    say: Callable[[str], None]

    def measure(self, version: str, drive: Callable[[float], Run], complaint: Callable[[], str]) -> Outcome:
        """Warm up, run once, and read back what is there."""
        drive(self.warm_up_s)
        run = drive(self.seconds)
        return Outcome(MEASURED, version, run, complaint())


class Peer(Protocol):
    """A module that measures one system."""

    ENTRIES: tuple[Entry, ...]

    def measure(self, plan: Plan, entries: Sequence[Entry]) -> Iterator[Outcome]:
        """What comes of these entries of its own, in order. Raises NotInstalled, PeerFailed or OSError."""


def round_of(peer: Peer, plan: Plan, entries: Sequence[Entry]) -> list[Outcome]:
    """An outcome for each of the peer's entries, measured or not."""
    outcomes: list[Outcome] = []
    missing = Outcome(FAILED, reason="it ended early")
    try:
        for outcome in peer.measure(plan, entries):
            plan.say(f"{_name(entries[len(outcomes)])}: {_said(outcome)}")
            outcomes.append(outcome)
    except NotInstalled as error:
        missing = Outcome(NOT_INSTALLED, reason=str(error))
    except (PeerFailed, OSError) as error:
        # OSError is what a server that goes away in the middle looks like from here.
        missing = Outcome(FAILED, reason=str(error) or type(error).__name__)
    for entry in entries[len(outcomes) :]:
        plan.say(f"{_name(entry)}: {missing.state}: {missing.reason}")
        outcomes.append(missing)
    return outcomes


def row_of(entry: Entry, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The row of an entry from all its rounds; one that failed once has failed."""
    described = {key: value for key, value in asdict(entry).items() if key != "in_quick"}
    for outcome in outcomes:
        if outcome.run is None:
            return {**described, "state": outcome.state, "reason": outcome.reason}
    runs = [outcome.run for outcome in outcomes if outcome.run is not None]
    spread = Spread(tuple(run.commands / run.seconds for run in runs))
    latencies = [latency for run in runs for latency in run.latencies_us]
    return {
        **described,
        "state": MEASURED,
        "version": outcomes[0].version,
        "commands_per_s": round(spread.median),
        "runs_per_s": [round(run) for run in spread.runs],
        "latency_us": {"p50": round(percentile(latencies, 0.5)), "p99": round(percentile(latencies, 0.99))},
        "complaint": next((outcome.complaint for outcome in outcomes if outcome.complaint), ""),
    }


def compare(found: list[bytes | None], expected: list[bytes | None], where: str) -> str:
    """What is wrong with values that were read back; nothing if they are what was written."""
    if len(found) != len(expected):
        return f"{where}: expected {len(expected)} values, found {len(found)}"
    wrong = [place for place, value in enumerate(expected) if found[place] != value]
    if not wrong:
        return ""
    first = wrong[0]
    return (
        f"{where}: {len(wrong)} of {len(expected)} values differ: expected {expected[first]!r}, found {found[first]!r}"
    )


def _name(entry: Entry) -> str:
    return f"{entry.system}, {entry.work}{', durable' if entry.durable else ''}"


def _said(outcome: Outcome) -> str:
    rate = outcome.run.commands / outcome.run.seconds if outcome.run else 0.0
    return f"{rate:,.0f} commands/s" + (f", WRONG: {outcome.complaint}" if outcome.complaint else "")
