"""How `psmr up` shows what it knows: a live table in a terminal, lines in a pipe, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol

from rich.live import Live
from rich.text import Text

from psmr.cli.exits import ExitCode
from psmr.cli.output import console, print_json, say
from psmr.cli.status_table import status_table
from psmr.cluster import ReplicaProcess, ReplicaStatus


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


def display_for(as_json: bool) -> Display:
    """The display that fits where the output goes."""
    if as_json:
        return JsonDisplay()
    return TableDisplay() if sys.stdout.isatty() else LinesDisplay()


class JsonDisplay:
    """One JSON object a line: `event` is started, status, ended, stopping or stopped."""

    def __enter__(self) -> JsonDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def started(self, process: ReplicaProcess) -> None:
        print_json({"event": "started", "replica": process.id, "pid": process.pid, "log": str(process.log)})

    def ended(self, process: ReplicaProcess) -> None:
        print_json(
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
        print_json({"event": "status", "replicas": replicas})

    def stopping(self) -> None:
        print_json({"event": "stopping"})

    def stopped(self, code: ExitCode) -> None:
        print_json({"event": "stopped", "exit_code": int(code)})


class LinesDisplay:
    """A line on stderr for each change of who is there and who leads."""

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
            say(f"replica {status.id} is {role}{term}")

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
