"""What stands in for `psmr.replica.aftermath`, whose clock, sleeps and replays are real: a replica that has parted says its last.

It serves no more, answers the others for a while, has one of them tell which command of the entry it was, and reports.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from psmr.core.divergence import Parted
from psmr.core.divergence_messages import DivergenceFound, RowsAsked, RowsGiven
from psmr.log.raft_log import RaftLog
from psmr.replica.aftermath import ROWS_S, STAYS_S
from psmr.replica.delivery import Delivery
from psmr.replica.diverged_command import first_difference
from psmr.replica.parting import Parting, command_digests
from psmr.simulation.scheduler import Scheduler

_LOOK_US = 100_000
_AGAIN_US = 500_000


class SimulatedAftermath:
    """Begins at once, by itself; `heard` when a message has come. `found` is told which row it was, if that can be said."""

    def __init__(
        self,
        me: int,
        parted: Parted,
        log: RaftLog,
        delivery: Delivery,
        parting: Parting,
        scheduler: Scheduler,
        clock_us: Callable[[], int],
        found: Callable[[int], None],
    ) -> None:
        self._me = me
        self._parted = parted
        self._log = log
        self._delivery = delivery
        self._parting = parting
        self._scheduler = scheduler
        self._clock_us = clock_us
        self._found = found
        self._began_us = scheduler.now_us
        self._asked_us = -_AGAIN_US
        self._is_answered = self._is_over = False
        self._look()

    def heard(self) -> None:
        """Take in what was said, and answer."""
        if self._is_over:
            return
        self._log.listen()
        self._parting.turn(self._clock_us())
        answers, self._parting.answers = self._parting.answers, []
        for answer in answers:
            if isinstance(answer.message, RowsGiven) and not self._is_answered:
                self._is_answered = True
                self._compare(answer.payloads)
                self._report()

    def _look(self) -> None:
        now_us, lasted_us = self._scheduler.now_us, self._scheduler.now_us - self._began_us
        waits = not self._is_answered and lasted_us < ROWS_S * 1_000_000
        self._is_over = not waits and lasted_us >= STAYS_S * 1_000_000
        if self._is_over:
            return
        if waits and now_us >= self._asked_us + _AGAIN_US:
            self._asked_us = now_us
            self._log.say(self._parted.others[0], RowsAsked(self._parted.index))
        self.heard()
        self._scheduler.after(_LOOK_US, self._look)

    def _compare(self, given: list[bytes]) -> None:
        mine = command_digests(self._delivery, self._parted.index)
        row = first_difference(mine, given[0]) if mine is not None and given else None
        if row is not None:
            self._found(row)

    def _report(self) -> None:
        report = msgspec.json.encode({"replica": self._me, "index": self._parted.index})
        for member in self._log.status().members:
            if member.id != self._me:
                self._log.say(member.id, DivergenceFound(self._parted.index), [report])
