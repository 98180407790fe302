"""What a demonstration shows while it runs: a table that refreshes, and a line for each event."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from psmr.cluster.status import ReplicaStatus
from psmr.demo.traffic import Traffic

_SPAN_US = 1_000_000
_EVENTS_SHOWN = 8


class Display:
    """A live table on a terminal; elsewhere one line an event, on standard error."""

    def __init__(self, title: str, clock_us: Callable[[], int]) -> None:
        self._console = Console(file=sys.stderr)
        self._title = title
        self._clock_us = clock_us
        self._events: list[str] = []
        self._started_us = clock_us()
        self._leader: object = None
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def event(self, text: str) -> None:
        """Say that something happened."""
        line = f"{(self._clock_us() - self._started_us) / 1e6:6.2f} s  {text}"
        self._events.append(line)
        if not self._live:
            self._console.print(line, highlight=False)

    def update(self, traffic: Traffic, statuses: Sequence[ReplicaStatus]) -> None:
        """Show where everything stands."""
        leader = max((s for s in statuses if s.get("role") == "leader"), key=lambda s: int(s.get("term")), default=None)
        seen = (leader.id, leader.get("term")) if leader else None
        if seen and seen != self._leader:
            self.event(f"replica {seen[0]} leads, term {seen[1]}")
            self._leader = seen
        if self._live:
            self._live.update(self._picture(traffic, statuses))

    def _picture(self, traffic: Traffic, statuses: Sequence[ReplicaStatus]) -> Group:
        now_us = self._clock_us()
        recent = sum(1 for at in traffic.acknowledged_at_us[-2000:] if at > now_us - _SPAN_US)
        size = traffic.commands / max(1, len(traffic.acknowledged_at_us))
        head = Text(
            f"{(now_us - self._started_us) / 1e6:5.1f} s   {recent * size:,.0f} commands/s   "
            f"{traffic.commands:,} acknowledged"
        )
        events = Text("\n".join(self._events[-_EVENTS_SHOWN:]))
        return Group(head, _table(self._title, statuses), events)


def _table(title: str, statuses: Sequence[ReplicaStatus]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("replica", "role", "term", "log", "executed", "each worker's share", "synchronous"):
        table.add_column(name, justify="left" if name in ("role", "each worker's share") else "right")
    for status in statuses:
        if not status.reachable:
            table.add_row(str(status.id or "?"), "[red]down[/red]", "", "", "", "", "")
            continue
        role = status.get("role")
        table.add_row(
            str(status.id),
            f"[green]{role}[/green]" if role == "leader" else str(role),
            str(status.get("term")),
            f"{status.get('committed'):,}",
            f"{status.get('executed'):,}",
            " ".join(f"{share:.0%}" for share in shares(status.get("workers"))),
            f"{status.get('synchronous_commands'):,}",
        )
    return table


def shares(workers: Sequence[int]) -> tuple[float, ...]:
    """Each worker's part of the commands executed."""
    total = sum(workers)
    return tuple(count / total if total else 0.0 for count in workers)
