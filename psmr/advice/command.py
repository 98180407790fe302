"""`psmr cdep advise` from options to what is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cdep import service_of
from psmr.advice.batches import Commands, commands_of, first, preload_of
from psmr.advice.logs import commands_in_log
from psmr.advice.predicting import ROUNDS, measured
from psmr.advice.report import Asked, document_of
from psmr.demo.input import workload_of
from psmr.demo.options import DemoOptions
from psmr.errors import ConfigurationError
from psmr.services import find_application, find_service


@dataclass(frozen=True, slots=True)
class AdviceOptions:
    """What is asked. `log`: the folder of a replica; without it and without `input` the workload makes its own commands."""

    app: str
    input: Path | None = None
    log: Path | None = None
    commands: int = 200_000
    clients: int = 4
    batch: int = 1024
    seed: int = 1
    rounds: int = ROUNDS
    parameters: Mapping[str, str] = field(default_factory=dict)


def advise(options: AdviceOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure and predict: the whole answer. Call it in a process without threads: it forks workers."""
    preload, batches, source = _commands(options, say)
    owner = find_service(options.app) if options.log is not None else find_application(options.app).service
    program, costs = measured(owner, preload, batches, say, options.rounds)
    say("predicting")
    sizes = np.diff(program.batches)
    return document_of(Asked(options.app, source, int(np.median(sizes))), program, costs)


def _commands(options: AdviceOptions, say: Callable[[str], None]) -> tuple[list[Commands], list[Commands], str]:
    """(what comes before, what is looked at, where it is from)."""
    if options.log is not None:
        service = service_of(find_service(options.app))
        say(f"reading the log in {options.log}")
        batches = first(commands_in_log(options.log, service), options.commands)
        return [], batches, f"the log in {options.log}"
    application = find_application(options.app)
    say("making commands")
    asked = DemoOptions(
        app=options.app,
        clients=options.clients,
        input=options.input,
        batch=options.batch,
        seed=options.seed,
        parameters=options.parameters,
    )
    workload = workload_of(application, asked)
    service = service_of(application.service)
    preload = preload_of(service, workload)
    batches = commands_of(service, workload, options.clients, options.commands)
    if not batches:
        raise ConfigurationError(f"{options.app}: expected commands of its workload, found none: give another input")
    source = f"{options.input}" if options.input else f"the workload of {options.app}"
    extra = ", ".join(f"{name} = {value}" for name, value in options.parameters.items())
    return preload, batches, f"{source}{f' ({extra})' if extra else ''}"
