"""What commands that drive an application's workload are told: its parameters, and files or folders to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the application's workload; may be repeated."),
]


def parameters_of(settings: list[str] | None) -> dict[str, str]:
    """The settings by name. Raises ConfigurationError for one that is not NAME=VALUE, or is there twice."""
    from psmr.errors import ConfigurationError

    parameters: dict[str, str] = {}
    for setting in settings or []:
        name, separator, value = setting.partition("=")
        if not name or not separator:
            found = "name" if separator else "equals sign"
            raise ConfigurationError(
                f"--set {setting}: expected NAME=VALUE, found no {found}: write --set keys=1000, say"
            )
        if name in parameters:
            raise ConfigurationError(f"--set {setting}: expected each name once, found {name} before")
        parameters[name] = value
    return parameters


def require_path(option: str, path: Path | None) -> None:
    """Raise ConfigurationError if what an option names is not there."""
    from psmr.errors import ConfigurationError

    if path is not None and not path.exists():
        raise ConfigurationError(f"{option} {path}: expected a file or folder, found none: give the path of one")
