"""Annotations proposed for services with early stages: those of the early ones and those of the main ones, each for itself.

Each is a service of its own here, whose commands are the stages, and is inferred as any other. Early stages may read what main
stages write, so that does not count for their keys. What is decided as a whole is ordered with every main stage and proposed as it
is; by its keys among early stages it takes part in their inference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from cdep import Command, Service
from cdep.command import Access
from psmr.verification.cells import ADD, WRITE
from psmr.verification.comparing import Comparison, compared, decorator_text
from psmr.verification.coverage import Line
from psmr.verification.examining import Trial
from psmr.verification.inference import Inference
from psmr.verification.machine import Outcome
from psmr.verification.observed import Observed

_WHOLE = "it is decided as a whole: ordered with everything that has a main stage; nothing else is proposed"


class StageInference(Observed):
    """Gathers what a search of a service with early stages observes; `compare` says what is to be declared of each stage."""

    def compare(
        self, novel: Sequence[Trial], missing: Mapping[str, Collection[Line]], refuted: Collection[str]
    ) -> list[Comparison]:
        """Of each command its stages; arguments as `psmr.verification.comparing.compared` has them."""
        states = [*self._states, list(novel)]
        written = self._written_by_main(states)
        early = self._compared("early", states, written, missing, refuted)
        main = self._compared("main", states, frozenset(), missing, refuted)
        found = []
        for command in self.service.commands:
            if command.kind == "dependent" or command.stage == "exact":
                text = decorator_text(command)
                executions = sum(trial.call.command == command.name for trials in states for trial in trials)
                found.append(Comparison(command.name, text, text, "as declared", _WHOLE, executions))
                continue
            found += [of_stage[command.name] for of_stage in (early, main) if command.name in of_stage]
        return found

    def _written_by_main(self, states: Sequence[Sequence[Trial]]) -> frozenset[str]:
        """The containers that main stages change, those of commands decided as a whole aside."""
        return frozenset(
            cell.container
            for trials in states
            for trial in trials
            if self.service.command(trial.call.command).stage == "main" and _came_to(trial, "main")
            for cell, hows in _stage(trial, "main").touched.items()
            if WRITE in hows or ADD in hows
        )

    def _compared(
        self,
        stage: str,
        states: Sequence[Sequence[Trial]],
        left_out: frozenset[str],
        missing: Mapping[str, Collection[Line]],
        refuted: Collection[str],
    ) -> dict[str, Comparison]:
        commands = (_as_early if stage == "early" else _as_main)(self.service)
        if not commands:
            return {}
        inference = Inference(replace(self.service, commands=tuple(commands.values())))
        for trials in states:
            inference.observe(
                [
                    trial._replace(outcome=_without(_stage(trial, stage), left_out))
                    for trial in trials
                    if trial.call.command in commands and _came_to(trial, stage)
                ]
            )
        proposed, found = inference.propose()
        return {
            one.command: self._named(one, stage)
            for one in compared(
                inference.service,
                proposed,
                found,
                {name: missing[name] for name in commands},
                refuted,
            )
        }

    def _named(self, one: Comparison, stage: str) -> Comparison:
        command = self.service.command(one.command)
        if command.early is None:
            return one
        if stage == "main":
            return replace(one, command=f"{one.command}, main stage")
        texts = [
            text.replace("@partially_dependent(", f"@early({one.command}, ") for text in (one.declared, one.proposed)
        ]
        return replace(one, command=f"{one.command}, early stage", declared=texts[0], proposed=texts[1])


def _as_early(service: Service) -> dict[str, Command]:
    """What is ordered among early stages, as commands with nothing but those keys."""
    found = {}
    for command in service.commands:
        keys = tuple(key for key in command.touched if key.domain in service.early_domains)
        if command.kind != "dependent" and (keys or command.early is not None):
            access: Access = "write" if any(key.access == "write" for key in keys) else "read"
            found[command.name] = replace(
                command,
                kind="partial" if keys else "independent",
                access=access if keys else "none",
                dependencies=keys,
                stage=None,
                early=None,
            )
    return found


def _as_main(service: Service) -> dict[str, Command]:
    return {
        command.name: replace(command, stage=None, early=None)
        for command in service.commands
        if command.stage == "main"
    }


def _came_to(trial: Trial, stage: str) -> bool:
    stages = trial.outcome.stages
    if stages is None:
        return False
    if stage == "main":
        return stages.main is not None
    return stages.early is not None or stages.main is not None


def _stage(trial: Trial, stage: str) -> Outcome:
    """What a stage came to; among early stages a command that is decided as a whole counts as a whole."""
    stages = trial.outcome.stages
    if stages is None:
        return trial.outcome
    found = stages.early if stage == "early" else stages.main
    return found or stages.main or trial.outcome


def _without(outcome: Outcome, left_out: frozenset[str]) -> Outcome:
    if not left_out:
        return outcome
    return outcome._replace(
        touched={cell: hows for cell, hows in outcome.touched.items() if cell.container not in left_out}
    )
