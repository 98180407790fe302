"""What an application ships besides its service: a sequential model of it, and a workload to drive it with.

A module `apps.NAME` (or any importable module) names one `APPLICATION`; `VARIANTS`, a dict by name, may follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from cdep import StateMachine

Column = Any
"""Arguments of many calls: a NumPy array for numbers, booleans and `Size(n)`; a list of bytes for byte parameters."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Calls of one command, to be made in order: a column for each of its parameters, all of one length."""

    command: str
    columns: Mapping[str, Column]
    count: int


@dataclass(frozen=True, slots=True)
class WorkloadOptions:
    """How to drive an application. `input_file` replaces generated calls by real ones; `parameters` are the workload's own."""

    seed: int = 1
    clients: int = 4
    batch: int = 64
    input_file: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


class InvalidParameterError(ValueError):
    """A parameter that a workload does not have, or a value that it cannot take."""


class Workload(Protocol):
    """Calls for the clients of a run; the same options give the same calls."""

    def preload(self) -> Iterator[Sequence[Segment]]:
        """Batches that one client sends before the run begins."""

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """Batches of about `options.batch` calls for one client (from 0), endless unless an input file ends."""


class Model(Protocol):
    """The service in plain sequential Python, written without looking at the handlers."""

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call: integers, floats, booleans and bytes in; the reply, or None, out.

        Raises where the service replies an error; nothing has changed then.
        """

    def state(self) -> dict[str, Any]:
        """Its content by name of the service's state fields: a dict for a Map, a list for an Array, lists by field for a Table.

        Instead of a list of more than 2^20 rows, a dict of those that are not 0.
        """


Told = tuple[str, tuple[Any, ...]]
"""An event: its name, and the values of its fields in the order declared."""


@runtime_checkable
class Telling(Protocol):
    """A model of a service with events."""

    events: list[Told]
    """What the calls so far have told, in order; whoever has read it may clear it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an application itself says of a run: whether it holds, in figures and in one line."""

    holds: bool
    figures: Mapping[str, Any]
    text: str


class Judge(Protocol):
    """Looks at what was executed, in the order of the log, for what only the application can know: its real input's results."""

    def see(self, command: str, arguments: Sequence[Any], reply: Any, events: Sequence[Told]) -> None:
        """One executed call."""

    def judgement(self) -> Judgement:
        """In the end."""


@dataclass(frozen=True, slots=True)
class Application:
    """A service with what is needed to try it."""

    service: type[StateMachine]
    model: Callable[[], Model]
    workload: Callable[[WorkloadOptions], Workload]
    checking: Any
    """A `psmr.checking.Model` of it: a pure step, and the key by which a history may be cut."""
    judge: Callable[[WorkloadOptions], Judge | None] | None = None
    """Who judges a run with such a workload, beside model and checker; None: nobody."""
    rate: int = 25_000
    """Generated commands a second that a demonstration sends if it is not told: its history must be checked within a minute."""
    input: str = ""
    """What its input file is, in a few words; empty: it takes none, or does not say."""
