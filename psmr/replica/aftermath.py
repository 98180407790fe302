"""A replica that has parted from the others: it serves no more, finds out what differs, tells, and ends.

It asks one of the others for its command digests of the entry, so the first command that differs is known; then both replay their
folders to that command, each in a process of its own, which shows the cells. All of it is in `divergence.json` in the replica's
folder, with which the replica refuses to start; the others have it in their status.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from psmr.core.divergence import Parted
from psmr.core.divergence_messages import DivergenceFound, RowsAsked, RowsGiven, StepAsked, StepGiven
from psmr.errors import ReplicasDiverged
from psmr.log.raft_log import RaftLog
from psmr.replica.delivery import Delivery
from psmr.replica.diverged_command import ABSENT, command_at, digest_at, first_difference
from psmr.replica.parting import Parting, command_digests
from psmr.replica.step_replay import step_in
from psmr.storage.files import Files, replace_file

NAME = "divergence.json"
STAYS_S = 2.0
"""So long at least it answers the others, who have to find out by themselves who is right."""
ROWS_S = 5.0
REPLAYS_S = 60.0
"""So long at most it waits for an answer of either kind."""
_AGAIN_S = 0.5
_LOOK_S = 0.02
_log = logging.getLogger("psmr.replica")


def refuse_diverged(folder: Path) -> None:
    """Raise ReplicasDiverged if a replica that has parted from the others left this folder."""
    path = folder / NAME
    if path.exists():
        raise ReplicasDiverged(
            f"{path}: expected the folder of a replica that agrees with the others, found one that has parted from them: look at "
            "it with `psmr replay --diff`, then empty the folder (the replica fetches a snapshot), or remove that file"
        )


class Aftermath:
    """What is left to do after `parted`; nothing is executed any more, and the replica has no part in the log's order."""

    def __init__(
        self, me: int, log: RaftLog, delivery: Delivery, parting: Parting, parted: Parted, stopping: Callable[[], bool]
    ) -> None:
        self._me = me
        self._log = log
        self._delivery = delivery
        self._parting = parting
        self._parted = parted
        self._stopping = stopping
        self._peer = parted.others[0]
        self._started_s = time.monotonic()
        self._report: dict[str, Any] = {
            "replica": me,
            "index": parted.index,
            "is_first": parted.is_exact,
            "right": list(parted.right),
            "compared_with": self._peer,
        }

    def run(self) -> ReplicasDiverged:
        """Find out, write it down, tell the others; the error to end with."""
        self._write()
        _log.error("%s; serves no more", self._line())
        rows = self._ask(RowsAsked(self._parted.index), RowsGiven, ROWS_S)
        row = self._compare_rows(rows)
        if row is not None:
            self._write()
            self._compare_cells(row)
        self._write()
        report = msgspec.json.encode(self._report)
        for member in self._log.status().members:
            if member.id != self._me:
                self._log.say(member.id, DivergenceFound(self._parted.index), [report])
        self._wait(lambda: False, STAYS_S - (time.monotonic() - self._started_s))
        return ReplicasDiverged(self._line())

    def _wait(self, reached: Callable[[], bool], most_s: float) -> None:
        """Answer the others until `reached`."""
        until_s = time.monotonic() + most_s
        while not reached() and time.monotonic() < until_s and not self._stopping():
            self._log.listen()
            self._parting.turn(time.monotonic_ns() // 1000)
            time.sleep(_LOOK_S)

    def _ask(self, question: RowsAsked | StepAsked, kind: type, most_s: float) -> list[bytes]:
        """The payloads of the peer's answer; none where there is none in time."""
        found: list[list[bytes]] = []
        asked_s = -_AGAIN_S

        def answered() -> bool:
            nonlocal asked_s
            if time.monotonic() >= asked_s + _AGAIN_S:
                asked_s = time.monotonic()
                self._log.say(self._peer, question)
            answers, self._parting.answers = self._parting.answers, []
            found.extend(each.payloads for each in answers if isinstance(each.message, kind))
            return bool(found)

        self._wait(answered, most_s)
        return found[0] if found else []

    def _compare_rows(self, given: list[bytes]) -> int | None:
        index = self._parted.index
        mine = command_digests(self._delivery, index)
        if mine is None or not given:
            self._report["cells_unknown"] = "the digests of its commands are not kept any more, here or there"
            return None
        row = first_difference(mine, given[0])
        if row is None:
            self._report["cells_unknown"] = "its commands have equal digests now: they differed by what is not kept"
            return None
        entry = self._log.read(index, 1)[0]
        layout = self._delivery.engine.layout
        kept = self._delivery.recent.of(index)
        found = command_at(layout, entry.payload, kept, row, len(mine) // 8)
        expected = command_at(layout, entry.payload, given[1:], row, len(given[0]) // 8)
        self._report["row"] = row
        self._report["digest"] = {"expected": digest_at(given[0], row), "found": digest_at(mine, row)}
        if found is not None:
            self._report["command"] = found.name
            self._report["arguments"] = found.arguments
            self._report["reply"] = {"expected": expected.reply if expected else ABSENT, "found": found.reply}
        return row

    def _compare_cells(self, row: int) -> None:
        """Replay both folders, and put side by side what the command wrote."""
        index = self._parted.index
        self._parting.replay_own(index, row)
        given = self._ask(StepAsked(index, row), StepGiven, REPLAYS_S)
        self._wait(lambda: self._parting.replayed(index, row) is not None, REPLAYS_S)
        theirs = step_in(given[0] if given else b"", index, row)
        mine = step_in(self._parting.replayed(index, row) or b"", index, row)
        if isinstance(theirs, str) or isinstance(mine, str):
            said = [f"replica {self._peer}: {theirs}"] if isinstance(theirs, str) else []
            said += [f"replica {self._me}: {mine}"] if isinstance(mine, str) else []
            self._report["cells_unknown"] = "; ".join(said)
            return
        self._add_replies(theirs, mine)
        cells = differing_cells(theirs, mine)
        self._report["cells"] = cells
        if not cells:
            self._report["cells_unknown"] = (
                "a replay of this folder writes what the others have: what the handler read is not there any more, "
                "or memory failed"
            )

    def _add_replies(self, theirs: dict[str, Any], mine: dict[str, Any]) -> None:
        """What replays say of the command, where what was really replied is not kept any more."""
        self._report.setdefault("command", mine["command"])
        self._report.setdefault("arguments", mine["arguments"])
        replies = self._report.setdefault("reply", {"expected": ABSENT, "found": ABSENT})
        for side, step in (("expected", theirs), ("found", mine)):
            if replies[side] == ABSENT:
                replies[side] = {"raised": step["raised"]} if step.get("raised") else step.get("reply")
                self._report.setdefault("replies_replayed", []).append(side)

    def _line(self) -> str:
        """What is known, in one line."""
        found = self._report
        place = f"log index {found['index']}" + (f", row {found['row']}" if "row" in found else "")
        if not self._parted.is_exact:
            place += " or before"
        who = (
            f"replicas {', '.join(map(str, self._parted.right))} did the same, and this one did not"
            if self._parted.right
            else "no majority did the same"
        )
        parts = [f"replicas diverged at {place}: {who}"]
        if "command" in found:
            arguments = ", ".join(f"{name}={value}" for name, value in found["arguments"].items())
            parts.append(f"{found['command']}({arguments})")
            parts.append(f"reply: expected {found['reply']['expected']}, found {found['reply']['found']}")
        cells = found.get("cells", [])
        parts += [f"{each['cell']}: expected {each['expected']}, found {each['found']}" for each in cells[:3]]
        if len(cells) > 3:
            parts.append(f"and {len(cells) - 3} cells more")
        return "; ".join(parts)

    def _write(self) -> None:
        path = self._parting.folder / NAME
        replace_file(Files(), path, msgspec.json.format(msgspec.json.encode(self._report)) + b"\n", sync=True)


def differing_cells(theirs: dict[str, Any], mine: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells that two replays of one command leave different: what is expected, and what was found."""
    expected = {each["cell"]: each for each in theirs.get("writes", [])}
    found = {each["cell"]: each for each in mine.get("writes", [])}
    cells: list[dict[str, Any]] = []
    for cell in sorted(expected.keys() | found.keys()):
        # What only one of them writes the other leaves as it was.
        there = expected[cell]["new"] if cell in expected else found[cell]["old"]
        here = found[cell]["new"] if cell in found else expected[cell]["old"]
        if there != here:
            cells.append({"cell": cell, "expected": there, "found": here})
    return cells
