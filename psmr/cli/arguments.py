"""Arguments that several commands share, with their help and their completion."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from psmr.json_output import HELP, METAVAR, OPTION

APPS = "apps"
BENCHMARKS = "bench"


def complete_service(incomplete: str) -> list[str]:
    """Names of the applications that come with the engine; none of them is imported for it."""
    return [name for name in module_names(APPS, packages=True) if name.startswith(incomplete)]


def complete_benchmark(incomplete: str) -> list[str]:
    """Names of the benchmarks."""
    return [name for name in benchmark_names() if name.startswith(incomplete)]


def benchmark_names() -> list[str]:
    """The benchmarks that can be run: the modules of `bench` but its own helpers."""
    return [name for name in module_names(BENCHMARKS, packages=False) if name != "command" and not name.startswith("_")]


def module_names(package: str, *, packages: bool) -> list[str]:
    """The packages, or the plain modules, in a package, by name, without importing them."""
    try:
        paths = importlib.import_module(package).__path__
    except ModuleNotFoundError:
        return []
    return sorted(module.name for module in pkgutil.iter_modules(paths) if module.ispkg is packages)


def prose(command: Callable[..., int]) -> str:
    """A command's docstring as its help, each paragraph one line: the terminal breaks lines where its width says."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


ClusterFile = Annotated[
    Path,
    typer.Argument(metavar="CLUSTER.toml", help="The cluster's file.", show_default=False),
]
Service = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE",
        help="An application ([b]kv[/]), its variant ([b]kv:integer[/]), a module, or [b]module:class[/].",
        autocompletion=complete_service,
        show_default=False,
    ),
]
AllowNondeterminism = Annotated[
    bool,
    typer.Option(
        "--allow-nondeterminism",
        help="Run a service in which [b]psmr cdep lint[/] finds something: replicas may differ, and it is said.",
    ),
]
Json = Annotated[Path | None, typer.Option(OPTION, metavar=METAVAR, help=HELP)]
