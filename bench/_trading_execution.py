"""Prepared flows executed by several engines in turn: the rates, and whether all said and told the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import xxhash

from bench._measurement import Spread
from bench._trading_flow import Flow
from cdep import StateMachine
from psmr.advice.running import Runner
from psmr.core.reply import REPLY_HEADER
from psmr.execution.outcome import Executed


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of executing the flow: a service, and by how many workers. `flow` is the same calls in the service's own records."""

    name: str
    owner: type[StateMachine]
    workers: int
    flow: Flow


class _Heard:
    """A digest of all replies and events so far, in order."""

    def __init__(self) -> None:
        self._digest = xxhash.xxh3_64()

    def take(self, executed: Executed) -> None:
        """One batch's."""
        self._digest.update(memoryview(executed.reply)[REPLY_HEADER.size :])
        self._digest.update(executed.events)

    @property
    def value(self) -> int:
        """Of what was taken so far."""
        return self._digest.intdigest()


def compare(contenders: Sequence[Contender], warm_ups: int) -> dict[str, Any]:
    """Each part of the flow by every contender in turn: commands/s of each, and whether replies and events were equal.

    The first `warm_ups` parts are executed and not counted: code, caches, and the choice of width, which has to see both ways.
    """
    with ExitStack() as stack:
        runners = []
        for contender in contenders:
            runner = Runner(contender.owner, contender.workers)
            stack.callback(runner.close)
            runner.start()
            runners.append(runner)
        heard = [_Heard() for _ in contenders]
        rates: list[list[float]] = [[] for _ in contenders]
        for runner, contender in zip(runners, contenders, strict=True):
            runner.run(contender.flow.preload)
        for number in range(len(contenders[0].flow.passes)):
            for place, (runner, contender) in enumerate(zip(runners, contenders, strict=True)):
                part = contender.flow.passes[number]
                ran = runner.run(part, heard[place].take)
                if number >= warm_ups:
                    rates[place].append(sum(batch.count for batch in part) / ran.seconds)
        digests = [runner.engine.digest() for runner in runners]
        rounds = [runner.engine.counters() for runner in runners]
    return {
        "rows": [
            {
                "contender": contender.name,
                "workers": contender.workers,
                "commands_per_s": round(Spread(tuple(rates[place])).median),
                "runs_per_s": [round(rate) for rate in rates[place]],
                "batches_alone": rounds[place].choices.alone,
                "batches_together": rounds[place].choices.parallel,
            }
            for place, contender in enumerate(contenders)
        ],
        "same_answers": len({each.value for each in heard}) == 1,
        "same_state": len(set(digests)) == len({contender.owner for contender in contenders}),
    }
