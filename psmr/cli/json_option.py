"""`--json [FILE]`: typer knows no option whose value may be left out, so the words are completed before it sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.exceptions import TyperException

from psmr.cli.arguments import benchmark_names, complete_service
from psmr.cli.usage import command_of
from psmr.json_output import OPTION, STANDARD_OUTPUT


def _decoders() -> list[str]:
    from psmr.fuzzing import SUMMARIES

    return list(SUMMARIES)


_NAMES: dict[str, Callable[[], list[str]]] = {
    "bench": benchmark_names,
    "chaos": lambda: ["all", *complete_service("")],
    "demo": lambda: complete_service(""),
    "fuzz": _decoders,
}
"""Commands with an argument that may be left out, and what it may be: that behind `--json` is no file."""


def complete_json(program: typer.Typer, words: list[str]) -> list[str]:
    """The words with a `-` behind a `--json` that has no file.

    A word behind it is a file only where the command has its arguments already: `psmr status --json cluster.toml` asks for
    JSON of that cluster. `--json=FILE` is a file anywhere.
    """
    if OPTION not in words:
        return words
    place = words.index(OPTION)
    following = words[place + 1 : place + 2]
    if following == [str(STANDARD_OUTPUT)]:
        return words
    if following and not following[0].startswith("-") and not _is_argument(program, words[:place], following[0]):
        return words
    return [*words[: place + 1], str(STANDARD_OUTPUT), *words[place + 1 :]]


def _is_argument(program: typer.Typer, before: list[str], word: str) -> bool:
    """Whether the command still takes the word as an argument, after those words."""
    command, path = command_of(program, before)
    if hasattr(command, "commands"):
        return False
    given = _given(command, before[len(path) :])
    for argument in (each for each in command.params if each.param_type_name == "argument"):
        if argument.required and given.get(argument.name) is None:
            return True
        if not argument.required and (argument.nargs < 0 or given.get(argument.name) is None):
            return ":" in word or word in _NAMES[command.name]()
    return False


def _given(command: Any, before: list[str]) -> dict[str, Any]:
    """The arguments and options in the words; nothing where they are wrong, of which the program itself will complain."""
    context = command.context_class(command, resilient_parsing=True)
    try:
        found: dict[str, Any] = command.make_parser(context).parse_args(list(before))[0]
    except TyperException:
        return {}
    return found
