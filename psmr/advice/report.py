"""The prediction as one document: what it was made of, what it says, and the sentence that sums it up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cdep.critical_path import CriticalPath, critical_path
from cdep.prediction import WORKERS, Costs, Predicted, Predictor, Stretch
from cdep.program import Program, Rules, rules_of
from cdep.serial import Share, commands_on_path, keys_on_path, shares_of_commands, shares_of_keys_at
from cdep.staged_model import EARLY_SHARE, is_staged, staged_path, wait_share
from cdep.what_if import gains
from cdep.words import keys_text

TOP = 8
CHANGES = 12
WHAT_IF_WORKERS = (2, 8)
_MATTERS = 0.05
"""A share of the time that is worth a word."""
_ONE_THREAD = 1.1
"""A speed-up below this is that of one thread, within what measuring can tell."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the prediction is about: the service's name as it was given, and where the commands came from."""

    app: str
    source: str
    batch: int


def document_of(asked: Asked, program: Program, costs: Costs, workers: Sequence[int] = WORKERS) -> dict[str, Any]:
    """Everything that is known, for machines; `program` has its commands' costs."""
    rules = rules_of(program.service)
    predictor = Predictor(program, rules, costs)
    predicted = [predictor.at(count) for count in workers]
    path = _path_of(program, rules, predictor)
    found = {
        "app": asked.app,
        "service": program.service.name,
        "source": asked.source,
        "commands": program.count,
        "batch": asked.batch,
        "costs": _costs(program, costs),
        "critical_path": _path(program, rules, path, predictor),
        "predicted": [_curve(each, predicted[0]) for each in predicted],
        "waiting": _waiting(program, rules, predictor, predictor.at(2)),
        "load": _load(program, rules),
        "what_if": _what_if(program, costs),
    }
    found["verdict"] = verdict(found)
    return found


def _path_of(program: Program, rules: Rules, predictor: Predictor) -> CriticalPath:
    """The critical path; over stages in a service that has them, each told as its command."""
    if not is_staged(program.service):
        return critical_path(program, rules, predictor.order)
    path, rows = staged_path(program, rules)
    return replace(path, rows=rows)


def _costs(program: Program, costs: Costs) -> dict[str, Any]:
    counts = np.bincount(program.op, minlength=len(program.service.commands))
    work = np.bincount(program.op, program.service_ns, len(program.service.commands))
    return {
        "commands": [
            {
                "command": command.name,
                "touches": keys_text(command),
                "share": counts[command.op] / max(1, program.count),
                "service_ns": work[command.op] / counts[command.op],
                "work_share": work[command.op] / (work.sum() or 1.0),
            }
            for command in program.service.commands
            if counts[command.op]
        ],
        "barrier_ns": asdict(costs.barrier),
        "slowdown": [list(pair) for pair in costs.slowdown],
        "early_share": EARLY_SHARE if is_staged(program.service) else None,
        "wait_share": wait_share(program),
        "stretch": asdict(costs.stretch),
    }


def _path(program: Program, rules: Rules, path: CriticalPath, predictor: Predictor) -> dict[str, Any]:
    return {
        "work_s": path.work_ns / 1e9,
        "length_s": path.length_ns / 1e9,
        "commands": len(path.rows),
        "speed_up_max": path.speed_up_max,
        "speed_up_max_of_64_groups": predictor.group_bound(),
        "by_command": [_share(share) for share in commands_on_path(program, path)],
        "by_key": [_share(share) for share in keys_on_path(program, rules, path, TOP)],
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "what": named(share),
        "share": share.share,
        "of_commands": share.of_commands,
        "of_work": share.of_work,
    }


def named(share: Share) -> str:
    """ "put", "key 17", "everything"."""
    return share.domain if not share.key else f"{share.domain} {share.key}"


def _curve(predicted: Predicted, one: Predicted) -> dict[str, Any]:
    base = one.engine_per_s or 1.0
    return {
        "workers": predicted.workers,
        "per_s": predicted.engine_per_s,
        "speed_up": predicted.engine_per_s / base,
        "together_speed_up": predicted.together_per_s / base,
        "paper_speed_up": predicted.paper_per_s / base,
        "alone_share": predicted.alone_share,
    }


def _waiting(program: Program, rules: Rules, predictor: Predictor, at: Predicted) -> dict[str, Any]:
    """Who waits, with all workers in every batch, and at which commands and keys."""
    rows = np.flatnonzero(at.together.waited_ns)
    weights, rows = at.together.waited_ns[rows], predictor.order[rows]
    return {
        "workers": at.workers,
        "share_of_time": at.waiting_shares(),
        "unemployed_share": at.unemployed_shares(),
        "heaviest_worker": predictor.heaviest_share(at.workers),
        "meetings_per_1000": at.together.meetings * 1000 / max(1, program.count),
        "by_command": [_share(share) for share in shares_of_commands(program, rows, weights)],
        "by_key": [_share(share) for share in shares_of_keys_at(program, rules, rows, weights, TOP)],
    }


def _load(program: Program, rules: Rules) -> list[dict[str, Any]]:
    """The keys whose commands are most of the work."""
    rows = np.arange(program.count)
    return [_share(share) for share in shares_of_keys_at(program, rules, rows, program.service_ns, TOP)]


def _what_if(program: Program, costs: Costs) -> list[dict[str, Any]]:
    """By the model alone: how much longer workers took here was seen with these annotations, and belongs to their meetings."""
    costs = replace(costs, stretch=Stretch())
    predictor = Predictor(program, rules_of(program.service), costs)
    base = [predictor.at(count).engine_per_s for count in WHAT_IF_WORKERS]
    return [
        {
            "change": gain.text,
            "valid_if": gain.valid_if,
            "speed_up_max": gain.speed_up_max,
            "gain": {
                str(count): rate / (before or 1.0)
                for count, rate, before in zip(WHAT_IF_WORKERS, gain.per_s, base, strict=True)
            },
        }
        for gain in gains(program, costs, WHAT_IF_WORKERS)[:CHANGES]
    ]


def verdict(document: dict[str, Any]) -> str:
    """What it comes to, in a sentence or two."""
    by_workers = {row["workers"]: row for row in document["predicted"]}
    two = by_workers.get(2, document["predicted"][-1])
    best = max(document["predicted"], key=lambda row: row["speed_up"])
    path = document["critical_path"]
    if best["speed_up"] < _ONE_THREAD:
        says = "One thread: no number of workers makes it faster than one"
    elif two["speed_up"] < _ONE_THREAD:
        says = f"Two workers are no faster than one; {best['workers']} are {best['speed_up']:.1f} times as fast"
    else:
        says = (
            f"Two workers are {two['speed_up']:.2f} times as fast as one, {best['workers']} are "
            f"{best['speed_up']:.1f} times as fast, and more are not"
        )
    limit = f"no engine can be more than {path['speed_up_max']:.1f} times as fast with these annotations"
    return f"{says}; {limit}. {_reason(document)}"


def _reason(document: dict[str, Any]) -> str:
    """Whose order it is: commands that meet, or keys that have most of the work."""
    waiting = document["waiting"]
    waits, left = max(waiting["share_of_time"]), max(waiting["unemployed_share"])
    if not document["load"]:
        return "Nothing in it depends on anything."
    key = next((each for each in document["load"] if each["what"] != "everything"), document["load"][0])
    if max(waits, left) < _MATTERS:
        return f"The heaviest is {key['what']}: {_percent(key['of_work'])} of the work."
    if left >= waits or not waiting["by_command"] or _is_skewed(document):
        return (
            f"One of two workers has less to do than the other, and waits or has nothing left for {waits + left:.0%} of the "
            f"time: keys are not equally popular. The heaviest is {key['what']}, {_percent(key['of_work'])} of the work."
        )
    command = waiting["by_command"][0]
    text = (
        f"With two workers in every batch, {waits:.0%} of a worker's time is waiting, {command['share']:.0%} of that at "
        f"{command['what']}, which is {_percent(command['of_commands'])} of the commands"
    )
    if waiting["by_key"] and waiting["by_key"][0]["what"] != "everything":
        key = waiting["by_key"][0]
        text += f"; the key waited at longest is {key['what']} ({key['share']:.0%})"
    return text + "."


def _is_skewed(document: dict[str, Any]) -> bool:
    """Whether more than half of what two workers lack is that one of them has more of the work."""
    together = {row["workers"]: row["together_speed_up"] for row in document["predicted"]}.get(2)
    if not together:
        return False
    return bool(2 * document["waiting"]["heaviest_worker"] - 1 > (2 / together - 1) / 2)


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.01 else f"{share:.0%}"
