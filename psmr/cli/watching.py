"""Running the replicas of a file and looking after them: the loop behind `psmr up`."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from psmr.cli.exits import ExitCode
from psmr.cli.up_display import Display
from psmr.cluster import ReplicaProcess, ReplicaStatus, ask, stop_all
from psmr.config import ClusterConfig

REFRESH_S = 1.0
STOP_GRACE_S = 10.0


class Watch:
    """The replicas of one cluster as children of this process, and what is known of them."""

    def __init__(
        self, file: Path, config: ClusterConfig, display: Display, *, allow_nondeterminism: bool = False
    ) -> None:
        self._addresses = {replica.id: replica.clients for replica in config.replicas}
        self._processes = {
            number: ReplicaProcess(
                file, number, config.data / f"replica-{number}.log", allow_nondeterminism=allow_nondeterminism
            )
            for number in self._addresses
        }
        self._display = display
        self._ended: dict[int, int] = {}
        self._counted: dict[int, tuple[float, int]] = {}

    def run(self) -> ExitCode:
        """Start all, watch until a signal or until all have ended by themselves, stop all."""
        with _sigterm_as_interrupt():
            try:
                self._start()
                self._watch()
            except KeyboardInterrupt:
                self._display.stopping()
            finally:
                stop_all(list(self._processes.values()), STOP_GRACE_S)
        code = exit_code_for(self._ended.values())
        self._display.stopped(code)
        return code

    def _start(self) -> None:
        for process in self._processes.values():
            process.start()
            self._display.started(process)

    def _watch(self) -> None:
        with self._display:
            while self._bury_the_dead():
                statuses = [self.own(status) for status in ask(self._addresses_of_running())]
                self._display.show(self._complete(statuses), self._rates(statuses, time.monotonic()), self._problems())
                time.sleep(REFRESH_S)

    def _bury_the_dead(self) -> bool:
        """Say once of each replica that it ended; whether any still runs."""
        for number, process in self._processes.items():
            code = process.exit_code
            if code is not None and number not in self._ended:
                self._ended[number] = code
                self._display.ended(process)
        return len(self._ended) < len(self._processes)

    def _addresses_of_running(self) -> dict[int, str]:
        return {number: address for number, address in self._addresses.items() if number not in self._ended}

    def own(self, status: ReplicaStatus) -> ReplicaStatus:
        """A status, or none if the address is another process's: then the replica started here says so itself, and ends."""
        pid = self._processes[status.id].pid if status.id is not None else None
        if not status.reachable or status.get("pid") == pid:
            return status
        return ReplicaStatus(status.id, status.address, None, f"process {status.get('pid')} answers there")

    def _complete(self, statuses: list[ReplicaStatus]) -> list[ReplicaStatus]:
        """With a row for each replica that ended."""
        found = {status.id: status for status in statuses}
        return [
            found.get(number) or ReplicaStatus(number, address, None, "ended")
            for number, address in self._addresses.items()
        ]

    def _rates(self, statuses: list[ReplicaStatus], now_s: float) -> dict[int, float]:
        """Commands a second since the last look, by replica; none at its first answer and after it began anew."""
        rates = {}
        for status in statuses:
            executed = status.get("executed")
            if status.id is None or not isinstance(executed, int):
                continue
            before_s, before = self._counted.get(status.id, (now_s, executed))
            if now_s > before_s and executed >= before:
                rates[status.id] = (executed - before) / (now_s - before_s)
            self._counted[status.id] = (now_s, executed)
        return rates

    def _problems(self) -> dict[int, str]:
        """What to say of a replica that gives no status."""
        problems = {number: "starting" for number in self._processes if number not in self._counted}
        return problems | {number: self._processes[number].obituary() for number in self._ended}


def exit_code_for(ended: Iterable[int]) -> ExitCode:
    """The worst of the exit codes of replicas that ended by themselves."""
    codes = set(ended)
    if not codes:
        return ExitCode.OK
    if ExitCode.VIOLATION in codes:
        return ExitCode.VIOLATION
    return ExitCode.CALLER if ExitCode.CALLER in codes else ExitCode.FAILED


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends this as Ctrl-C does: a service manager's way to say the same."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
