"""How `psmr up` shows what it knows: a live table in a terminal, lines in a pipe, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from rich.live import Live
from rich.text import Text

from psmr.cli.exits import ExitCode
from psmr.cli.output import console, say
from psmr.cli.status_table import status_table
from psmr.cluster import ReplicaProcess, ReplicaStatus
from psmr.json_output import JsonOutput


class Display(Protocol):
    """Told of everything that happens; a context while there is something to show."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def started(self, process: ReplicaProcess) -> None: ...

    def ended(self, process: ReplicaProcess) -> None: ...

    def show(
        self, statuses: Sequence[ReplicaStatus], rates: Mapping[int, float], problems: Mapping[int, str]
    ) -> None: ...

    def stopping(self) -> None: ...

    def stopped(self, code: ExitCode) -> None: ...


Write = Callable[[dict[str, Any]], None]


def display_for(output: JsonOutput, write: Write) -> Display:
    """The display that fits where the output goes; `write` takes what `output` is to hold."""
    shown = TableDisplay() if sys.stdout.isatty() and not output.is_alone else LinesDisplay()
    return Both(shown, JsonDisplay(write)) if output.is_wanted else shown


class JsonDisplay:
    """One JSON object a line: `event` is started, status, ended, stopping or stopped."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def __enter__(self) -> JsonDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def started(self, process: ReplicaProcess) -> None:
        self._write({"event": "started", "replica": process.id, "pid": process.pid, "log": str(process.log)})

    def ended(self, process: ReplicaProcess) -> None:
        self._write(
            {
                "event": "ended",
                "replica": process.id,
                "exit_code": process.exit_code,
                "message": process.obituary(),
            }
        )

    def show(self, statuses: Sequence[ReplicaStatus], rates: Mapping[int, float], problems: Mapping[int, str]) -> None:
        replicas = []
        for status in statuses:
            document, number = status.plain(), status.id or 0
            if number in rates:
                document["commands_per_s"] = round(rates[number], 1)
            if not status.reachable and number in problems:
                document["problem"] = problems[number]
            replicas.append(document)
        self._write({"event": "status", "replicas": replicas})

    def stopping(self) -> None:
        self._write({"event": "stopping"})

    def stopped(self, code: ExitCode) -> None:
        self._write({"event": "stopped", "exit_code": int(code)})


class LinesDisplay:
    """A line on stderr for each change of who serves and who leads."""

    def __init__(self) -> None:
        self._roles: dict[int | None, str] = {}

    def __enter__(self) -> LinesDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def started(self, process: ReplicaProcess) -> None:
        say(f"replica {process.id} starts as process {process.pid}; its output: {process.log}")

    def ended(self, process: ReplicaProcess) -> None:
        say(process.obituary())
        self._roles[process.id] = "ended"

    def show(self, statuses: Sequence[ReplicaStatus], rates: Mapping[int, float], problems: Mapping[int, str]) -> None:
        for status in statuses:
            role = str(status.get("role")) if status.reachable else "unreachable"
            before = self._roles.get(status.id)
            if role == before or before == "ended" or (before is None and not status.reachable):
                continue
            self._roles[status.id] = role
            term = f" in term {status.get('term')}" if status.reachable else ""
            say(f"replica {status.id} {'serves, and ' if before is None else ''}is {role}{term}")

    def stopping(self) -> None:
        say("stopping the replicas")

    def stopped(self, code: ExitCode) -> None:
        """Said by the exit code."""


class TableDisplay:
    """A table that is drawn anew with each look."""

    def __init__(self) -> None:
        self._console = console()
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> TableDisplay:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, process: ReplicaProcess) -> None:
        self._console.print(f"replica {process.id}: process {process.pid}, output in {process.log}", markup=False)

    def ended(self, process: ReplicaProcess) -> None:
        self._console.print(Text(process.obituary(), style="bold red"), soft_wrap=True)

    def show(self, statuses: Sequence[ReplicaStatus], rates: Mapping[int, float], problems: Mapping[int, str]) -> None:
        self._live.update(status_table(statuses, rates=rates, problems=problems), refresh=True)

    def stopping(self) -> None:
        self._console.print("stopping the replicas")

    def stopped(self, code: ExitCode) -> None:
        """Said by the exit code."""


class Both:
    """One display for people and one for machines."""

    def __init__(self, first: Display, second: Display) -> None:
        self._first, self._second = first, second

    def __enter__(self) -> Both:
        self._first.__enter__()
        self._second.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._second.__exit__(kind, error, trace)
        self._first.__exit__(kind, error, trace)

    def started(self, process: ReplicaProcess) -> None:
        self._first.started(process)
        self._second.started(process)

    def ended(self, process: ReplicaProcess) -> None:
        self._first.ended(process)
        self._second.ended(process)

    def show(self, statuses: Sequence[ReplicaStatus], rates: Mapping[int, float], problems: Mapping[int, str]) -> None:
        self._first.show(statuses, rates, problems)
        self._second.show(statuses, rates, problems)

    def stopping(self) -> None:
        self._first.stopping()
        self._second.stopping()

    def stopped(self, code: ExitCode) -> None:
        self._first.stopped(code)
        self._second.stopped(code)
