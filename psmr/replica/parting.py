"""A replica's part in finding out who has parted: what it tells, what it answers, and when it must stop.

The decisions are `psmr.core.divergence`'s. Here are its messages, and what a replica can be asked that takes more than a look: the
command digests of an entry, and what a replay of its folder says that a command did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from psmr.core.divergence import (
    CHECKPOINT_ENTRIES,
    CHECKPOINT_US,
    Difference,
    Divergence,
    Parted,
    Progress,
    Received,
    Voters,
)
from psmr.core.divergence_messages import (
    DigestsAsked,
    DigestsGiven,
    DigestTold,
    DivergenceFound,
    RowsAsked,
    RowsGiven,
    StepAsked,
    StepGiven,
)
from psmr.core.rolling import Rolling
from psmr.log.port import OrderedLog, Said
from psmr.replica.delivery import Delivery
from psmr.replica.step_replay import StepReplay

REPORT_BYTES_MAX = 1 << 20
_MEMBERS_US = 100_000
_NEVER_US = 1 << 62
_POLL_US = 50_000
_DIGESTS = (DigestTold, DigestsAsked, DigestsGiven)


class ReplicaParted(Exception):
    """This replica must stop serving: others did something else with a command, or nobody can say who is right."""

    def __init__(self, parted: Parted) -> None:
        super().__init__(f"replicas diverged at log index {parted.index}")
        self.parted = parted


@dataclass
class Parting:
    """`rolling` is delivery's. `folder` and `service` are what a replay is told."""

    me: int
    log: OrderedLog
    delivery: Delivery
    rolling: Rolling
    folder: Path
    service: str
    compiled: bool
    reports: dict[int, Any] = field(default_factory=dict)
    """What replicas that have stopped said of why, by their ids."""
    answers: list[Said] = field(default_factory=list)
    """Answers to questions about a command, for whoever asked them."""
    _core: Divergence = field(init=False)
    _members_us: int = -_MEMBERS_US
    _look_us: int = 0
    _looked: int = -1
    _replay: StepReplay | None = None
    _outputs: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _asked: list[tuple[int, StepAsked]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._core = Divergence(self.me, self.rolling)

    def turn(self, now_us: int) -> int:
        """Do what there is to do; when to be called again at the latest. Raises ReplicaParted, once."""
        said = self.log.take_said()
        new = self.rolling.through - self._looked
        if not said and now_us < self._look_us and new < CHECKPOINT_ENTRIES and not self._asked:
            return self._look_us if new else _NEVER_US
        before = self._core.parted
        if now_us >= self._members_us + _MEMBERS_US:
            self._members_us = now_us
            self._meet()
        for each in said:
            self._take(each)
        self._perform(self._core.handle(Progress(now_us)))
        self._answer_replayed()
        due_us = self._core.due_us
        self._looked, self._look_us = self.rolling.through, min(due_us, now_us + CHECKPOINT_US)
        if self._core.parted is not None and before is None:
            raise ReplicaParted(self._core.parted)
        return min(due_us, now_us + _POLL_US if self._asked else _NEVER_US)

    def _meet(self) -> None:
        members = self.log.status().members
        voters = frozenset(member.id for member in members if member.votes)
        self._perform(self._core.handle(Voters(frozenset(member.id for member in members), voters)))

    def _take(self, said: Said) -> None:
        message = said.message
        if isinstance(message, _DIGESTS):
            self._perform(self._core.handle(Received(said.sender, message)))
        elif isinstance(message, RowsAsked):
            rows = command_digests(self.delivery, message.index)
            payloads = [] if rows is None else [rows, *self.delivery.recent.of(message.index)]
            self.log.say(said.sender, RowsGiven(message.index), payloads)
        elif isinstance(message, StepAsked):
            if (said.sender, message) not in self._asked:
                self._asked.append((said.sender, message))
        elif isinstance(message, DivergenceFound):
            self._take_report(said)
        else:
            self.answers.append(said)

    def _take_report(self, said: Said) -> None:
        if said.payloads and len(said.payloads[0]) <= REPORT_BYTES_MAX:
            try:
                self.reports[said.sender] = msgspec.json.decode(said.payloads[0])
            except (msgspec.MsgspecError, RecursionError):
                return

    def _perform(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            if not isinstance(effect, Parted):
                self.log.say(effect.to, effect.message)

    def _answer_replayed(self) -> None:
        """One replay at a time; what it printed is kept, for whoever asks next."""
        if self._replay is not None:
            output = self._replay.finished()
            if output is not None:
                self._outputs[self._replay.place] = output
                self.close()
        for sender, asked in list(self._asked):
            output = self._outputs.get((asked.index, asked.row))
            if output is not None:
                self._asked.remove((sender, asked))
                self.log.say(sender, StepGiven(asked.index, asked.row), [output])
        if self._asked and self._replay is None:
            asked = self._asked[0][1]
            self._replay = StepReplay(self.folder, self.service, asked.index, asked.row, compiled=self.compiled)

    def replay_own(self, index: int, row: int) -> None:
        """Have this replica's own folder replayed up to a command, for `replayed`."""
        self._asked.append((self.me, StepAsked(index, row)))

    def replayed(self, index: int, row: int) -> bytes | None:
        """What that replay printed; None while it is under way."""
        return self._outputs.get((index, row))

    def differences(self) -> list[Difference]:
        """Who differs, as far as is known."""
        return self._core.differences()

    def status(self) -> dict[str, Any]:
        """Who differs, where, and what those said that stopped."""
        differences = [
            {
                "replica": each.peer,
                "index": each.index,
                "is_first": each.is_exact,
                "is_wrong": each.is_wrong,
                "report": self.reports.get(each.peer),
            }
            for each in self.differences()
        ]
        through = self.rolling.through
        return {
            "digests_through": through,
            "rolling_digest": f"{self.rolling.at(through):016x}",
            "diverged": differences,
        }

    def close(self) -> None:
        """End what is under way."""
        if self._replay is not None:
            self._replay.close()
            self._replay = None


def command_digests(delivery: Delivery, index: int) -> bytes | None:
    """The command digests of an entry, 8 bytes each; None where they are not kept any more."""
    rolling, digests = delivery.rolling, delivery.engine.row_digests
    found = rolling.rows_of(index) if rolling is not None else None
    return None if found is None or digests is None else digests.read(*found)
